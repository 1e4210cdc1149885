#include "step/arguments.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "fs/atomic_file.hpp"
#include "fs/temporary.hpp"

using capsule::step::expand_arguments;

namespace {
std::vector<std::string> expanded(std::vector<std::string> arguments) {
  CLI::App app;
  std::string value;
  app.add_option("--parameters", value)->type_name("JSON");
  app.add_option("--key", value)->type_name("FILE");
  app.add_subcommand("explain")->add_option("--failures", value)->type_name("JSON");
  arguments.insert(arguments.begin(), "program");
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  return expand_arguments(app, static_cast<int>(argv.size()), argv.data());
}
}  // namespace

TEST_CASE("empty arguments and empty values are dropped") {
  CHECK(expanded({"a", "", "--b=", "--c=d"}) == std::vector<std::string>{"--c=d", "a"});
  CHECK(expanded({"--key", "", "a"}) == std::vector<std::string>{"a"});
  CHECK(expanded({"--key=x", "", "a"}) == std::vector<std::string>{"a", "--key=x"});
}

TEST_CASE("a document @FILE is read from the file, less one newline; nothing else is") {
  const capsule::fs::TemporaryFolder folder{capsule::fs::temporary_parent()};
  const auto file = (folder.path() / "value").string();
  capsule::fs::write_file(file, "two words\n");
  CHECK(expanded({"--parameters=@" + file}) == std::vector<std::string>{"--parameters=two words"});
  CHECK(expanded({"--parameters", "@" + file}) == std::vector<std::string>{"two words", "--parameters"});
  CHECK_THROWS_AS(expanded({"--parameters=@" + file + ".missing"}), capsule::Error);
  CHECK_THROWS_AS(expanded({"--parameters=@"}), capsule::Error);
  // A key, or what a workflow put in, is a name and never what stands in a file.
  CHECK(expanded({"--key=@" + file, "@" + file}) == std::vector<std::string>{"@" + file, "--key=@" + file});
  CHECK(expanded({"--key", "@" + file}) == std::vector<std::string>{"@" + file, "--key"});
}

TEST_CASE("a document of a subcommand is read from a file as well, behind the subcommand") {
  const capsule::fs::TemporaryFolder folder{capsule::fs::temporary_parent()};
  const auto file = (folder.path() / "value").string();
  capsule::fs::write_file(file, "[]");
  CHECK(expanded({"explain", "--failures=@" + file, "--parameters=@" + file}) ==
        std::vector<std::string>{"--parameters=[]", "--failures=[]", "explain"});
  CHECK(expanded({"--failures=@" + file}) == std::vector<std::string>{"--failures=@" + file});
}

TEST_CASE("an argument that Argo put into a file as a whole is read, where it is a document's option") {
  const capsule::fs::TemporaryFolder folder{capsule::fs::temporary_parent()};
  const auto file = (folder.path() / "value").string();
  capsule::fs::write_file(file, "--parameters={}");
  CHECK(expanded({"@" + file, "a"}) == std::vector<std::string>{"a", "--parameters={}"});
  capsule::fs::write_file(file, "--key=what is secret");
  CHECK(expanded({"@" + file}) == std::vector<std::string>{"@" + file});
}

TEST_CASE("a typed option takes the environment away from those that it excludes") {
  const auto parsed = [](std::vector<std::string> arguments) {
    CLI::App app;
    std::string key;
    std::string trust;
    app.add_option("--key", key);
    app.add_option("--trust", trust)->excludes("--key");
    app.add_option("rest");
    capsule::step::add_environment_names(app);
    std::reverse(arguments.begin(), arguments.end());
    capsule::step::let_flags_win(app, arguments);
    app.parse(std::move(arguments));
    return key + "|" + trust;
  };
  ::setenv("CAPSULE_KEY", "from-environment", 1);
  CHECK(parsed({}) == "from-environment|");
  CHECK(parsed({"--trust", "t"}) == "|t");
  CHECK(parsed({"--trust=t"}) == "|t");
  CHECK(parsed({"--key", "k"}) == "k|");
  CHECK(parsed({"--", "--trust"}) == "from-environment|");
  CHECK_THROWS_AS(parsed({"--trust=t", "--key=k"}), CLI::ExcludesError);
  ::setenv("CAPSULE_TRUST", "there-too", 1);
  CHECK_THROWS_AS(parsed({}), CLI::ExcludesError);
  CHECK(parsed({"--key=k"}) == "k|");
  ::unsetenv("CAPSULE_TRUST");
  ::unsetenv("CAPSULE_KEY");
}

TEST_CASE("every long option has its environment variable") {
  CLI::App app;
  std::string value;
  app.add_option("--proof-service", value);
  capsule::step::add_environment_names(app);
  CHECK(app.get_option("--proof-service")->get_envname() == "CAPSULE_PROOF_SERVICE");
}

TEST_CASE("a flag wins over the environment, whether a subcommand has the same option or not") {
  const auto parsed = [](std::vector<std::string> arguments) {
    CLI::App app;
    std::string value;
    app.add_option("--twin", value);
    auto* sub = app.add_subcommand("sub", "");
    sub->fallthrough();
    sub->add_option("--twin", value);
    app.require_subcommand(0, 1);
    capsule::step::add_environment_names(app);
    app.parse(std::move(arguments));  // from the back, as CLI11 wants it
    return value;
  };
  REQUIRE(::setenv("CAPSULE_TWIN", "environment", 1) == 0);
  CHECK(parsed({}) == "environment");
  CHECK(parsed({"sub"}) == "environment");
  CHECK(parsed({"--twin=flag"}) == "flag");
  CHECK(parsed({"--twin=flag", "sub"}) == "flag");
  CHECK(parsed({"sub", "--twin=flag"}) == "flag");
  ::unsetenv("CAPSULE_TWIN");
}
