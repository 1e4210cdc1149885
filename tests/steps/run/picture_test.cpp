#include <catch2/catch.hpp>

#include "watchers.hpp"

using capsule::workflow::Phase;
using run_step::Colour;
using run_step::NodeLine;
using run_step::picture_of;

namespace {

NodeLine node(std::string name, std::size_t depth, Phase phase, std::string message = {}) {
  return {name, name, depth, phase, std::move(message), 1, {}};
}

}  // namespace

TEST_CASE("the picture shows the graph: depth, state, duration, tries, message") {
  auto done = node("pack", 0, Phase::succeeded);
  done.duration = std::chrono::milliseconds{2300};
  auto failing = node("sign", 1, Phase::running, "not yet");
  failing.attempt = 2;
  CHECK(picture_of({done, failing, node("publish", 0, Phase::pending)}, 80, Colour::no) ==
        "✔ pack  2.3 s\n  ● sign  try 2  not yet\n◦ publish\n");
}

TEST_CASE("a line of the picture never breaks, whatever is in it") {
  const auto text = picture_of({node("é\n\x1b[2J", 0, Phase::failed, std::string(300, 'x') + "\n\r")}, 40, Colour::no);
  CHECK(std::count(text.begin(), text.end(), '\n') == 1);
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(std::count_if(text.begin(), text.end(),
                      [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }) == 40);
  CHECK(picture_of({}, 40, Colour::yes).empty());
}
