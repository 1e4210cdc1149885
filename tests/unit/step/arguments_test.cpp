#include "step/arguments.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "fs/atomic_file.hpp"
#include "fs/temporary.hpp"

using capsule::step::expand_arguments;

namespace {
std::vector<std::string> expanded(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "program");
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  return expand_arguments(static_cast<int>(argv.size()), argv.data());
}
}  // namespace

TEST_CASE("empty arguments and empty values are dropped") {
  CHECK(expanded({"a", "", "--b=", "--c=d"}) == std::vector<std::string>{"--c=d", "a"});
}

TEST_CASE("a value @FILE is read from the file, less one newline") {
  const capsule::fs::TemporaryFolder folder{capsule::fs::temporary_parent()};
  const auto file = (folder.path() / "value").string();
  capsule::fs::write_file(file, "two words\n");
  CHECK(expanded({"--key=@" + file, "@" + file}) == std::vector<std::string>{"two words", "--key=two words"});
  CHECK_THROWS_AS(expanded({"@" + file + ".missing"}), capsule::Error);
  CHECK_THROWS_AS(expanded({"@"}), capsule::Error);
}

TEST_CASE("every long option has its environment variable") {
  CLI::App app;
  std::string value;
  app.add_option("--proof-service", value);
  capsule::step::add_environment_names(app);
  CHECK(app.get_option("--proof-service")->get_envname() == "CAPSULE_PROOF_SERVICE");
}
