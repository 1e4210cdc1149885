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
  CHECK(picture_of({done, failing, node("publish", 0, Phase::pending)}, {80, 24}, Colour::no) ==
        "✔ pack  2.3 s\n  ● sign  try 2  not yet\n◦ publish\n");
}

TEST_CASE("a line of the picture never breaks, whatever is in it") {
  const auto text =
      picture_of({node("é\n\x1b[2J", 0, Phase::failed, std::string(300, 'x') + "\n\r")}, {40, 24}, Colour::no);
  CHECK(std::count(text.begin(), text.end(), '\n') == 1);
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(std::count_if(text.begin(), text.end(),
                      [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }) == 40);
  CHECK(picture_of({}, {40, 24}, Colour::yes).empty());
}

TEST_CASE("a picture of more nodes than the terminal has lines shows what runs and what failed, and counts the rest") {
  std::vector<NodeLine> nodes;
  for (int i = 0; i < 1000; ++i) nodes.push_back(node("n" + std::to_string(i), 0, Phase::pending));
  nodes[900].phase = Phase::running;
  nodes[800].phase = Phase::failed;
  nodes[700].phase = Phase::succeeded;
  CHECK(picture_of(nodes, {80, 4}, Colour::no) ==
        "◦ n0\n✖ n800  0 ms\n● n900\n… and 997 more: 996 Pending, 1 Succeeded\n");
  nodes.resize(4);
  CHECK(picture_of(nodes, {80, 4}, Colour::no) == "◦ n0\n◦ n1\n◦ n2\n◦ n3\n");
}
