#include "capsule/checksum_list.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"

using namespace capsule;  // NOLINT

namespace {

const std::string hex(64, 'a');

std::string line(std::string_view path) {
  return hex + "  " + std::string{path} + "\n";
}

std::string refusal(std::string_view text) {
  try {
    ChecksumList::parse(text);
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::invalid_input);
    return error.message();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("a list is written as it was read") {
  const auto text = line("a b") + line("capsule.json") + line("x/y") + line("x/z");
  const auto list = ChecksumList::parse(text);
  CHECK(list.text() == text);
  CHECK(list.find("x/y")->hex() == hex);
  CHECK(list.find("x") == nullptr);
  CHECK(list.find("zz") == nullptr);
}

TEST_CASE("order is by bytes, not by folders") {
  CHECK(refusal(line("a-b") + line("a/b") + line("a0")) == "accepted");
  CHECK(refusal(line("a/b") + line("a-b")) != "accepted");
}

TEST_CASE("what sha256sum would misread, or no folder could hold, is refused") {
  const std::vector<std::string> bad{"",
                                     "\n",
                                     hex + "  a",
                                     hex + " *a\n",
                                     hex + " a\n",
                                     hex.substr(1) + "  a\n",
                                     std::string(64, 'A') + "  a\n",
                                     std::string(64, 'g') + "  a\n",
                                     hex + "  \n",
                                     hex + "  a\r\n",
                                     "\\" + hex + "  a\n",
                                     line("../a"),
                                     line("signature.sig/a"),
                                     line("checksum.sha256/a"),
                                     line("Signature.sig"),
                                     line("./a"),
                                     line("/a"),
                                     line("a") + line("a"),
                                     line("b") + line("a"),
                                     line("a") + "\n",
                                     line("signature.sig"),
                                     line("checksum.sha256"),
                                     line("a") + line("a/b"),
                                     line("README") + line("readme"),
                                     line("A/x") + line("a/y"),
                                     line("A") + line("a/y")};
  for (const auto& text : bad) {
    CAPTURE(text);
    CHECK(refusal(text) != "accepted");
  }
}
