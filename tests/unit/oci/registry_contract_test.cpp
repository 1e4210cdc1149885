#include <catch2/catch.hpp>
#include <cstdlib>
#include <memory>

#include "fs/temporary.hpp"
#include "oci/reference.hpp"
#include "store_contract.hpp"

using namespace capsule;

/// Against the registry that the caller started and named; tests/registry/test_contract.py does.
TEST_CASE("a registry over HTTP keeps the contract of stores", "[.registry]") {
  const char* registry = std::getenv("CAPSULE_TEST_REGISTRY");  // NOLINT(concurrency-mt-unsafe)
  REQUIRE(registry != nullptr);
  const auto location = oci::RegistryLocation::parse(registry, std::make_shared<oci::Access>());
  const auto name = "contract-" + fs::random_name();
  check_store_contract([&] { return oci::open_store(location, name, oci::Create::yes); });
}
