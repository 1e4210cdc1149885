#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "workflow/token_access.hpp"

using namespace capsule;
using workflow::StepCommand;

namespace {

StepCommand with(std::vector<std::string> arguments, std::map<std::string, std::string> environment = {}) {
  return {"capsule-sign", std::move(arguments), std::move(environment), {}};
}

bool refuses(const StepCommand& command, std::string_view module) {
  try {
    workflow::check_module(command, module);
    return false;
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
    CHECK(error.message().find("CAPSULE_PKCS11_MODULE") != std::string::npos);
    return true;
  }
}

}  // namespace

TEST_CASE("a step is given a key on a token by an argument or a variable, however it is written") {
  CHECK(workflow::names_token_key(with({"p.tar.gz", "--key", "pkcs11:object=k"})));
  CHECK(workflow::names_token_key(with({"--key=pkcs11:object=k"})));
  CHECK(workflow::names_token_key(with({"p.tar.gz"}, {{"CAPSULE_KEY", "pkcs11:object=k"}})));
  CHECK_FALSE(
      workflow::names_token_key(with({"--key=/keys/key.pem", "--note=is pkcs11:object=k", "a=pkcs11:object=k"})));
  CHECK_FALSE(workflow::names_token_key(with({}, {{"CAPSULE_STATE", "/state"}})));
}

TEST_CASE("a workflow does not choose the code that a step's program loads") {
  const std::vector<StepCommand> naming{
      with({"--pkcs11-module", "/lib/m.so"}),
      with({"--pkcs11-module=/lib/m.so"}),
      with({"--key=pkcs11:object=k?module-path=/lib/m.so"}),
      with({"--key", "pkcs11:object=k?module-path=%2flib/m.so"}),
      with({}, {{"CAPSULE_PKCS11_MODULE", "/lib/m.so"}}),
      with({}, {{"CAPSULE_KEY", "pkcs11:object=k?module-path=/lib/m.so"}}),
  };
  for (const auto& command : naming) {
    CHECK(refuses(command, ""));
    CHECK(refuses(command, "/lib/another.so"));
    CHECK_FALSE(refuses(command, "/lib/m.so"));
  }
  CHECK_FALSE(refuses(with({"--key", "pkcs11:object=k", "--pkcs11-module="}, {{"CAPSULE_PKCS11_MODULE", ""}}), ""));
}
