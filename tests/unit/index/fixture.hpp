#pragma once

#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <string>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "fs/atomic_file.hpp"
#include "fs/temporary.hpp"
#include "index/index.hpp"
#include "support/error_kind.hpp"

namespace test {

using namespace capsule;         // NOLINT(google-build-using-namespace)
using namespace capsule::index;  // NOLINT(google-build-using-namespace)

/// A registry in a folder with an index key that is trusted.
struct Fixture {
  fs::TemporaryFolder folder{fs::temporary_parent()};
  std::unique_ptr<crypto::Signer> signer = make_signer();
  attest::TrustPolicy trust = attest::TrustPolicy::from_key(signer->public_key());
  oci::RegistryLocation registry = oci::RegistryLocation::parse("oci-layout:" + (folder.path() / "registry").string());
  std::unique_ptr<oci::Store> store = oci::open_store(registry, "metal", oci::Create::yes);
  SeenHeads seen{folder.path() / "state"};
  Time clock = parse_time("2026-01-01T00:00:00Z");

  std::unique_ptr<crypto::Signer> make_signer() {
    const auto file = folder.path() / (fs::random_name() + ".pem");
    fs::write_file(file, crypto::generate_key(crypto::KeyType::ecdsa_p256).private_pem.reveal(), 0600);
    return crypto::open_signer(file.string(), {});
  }
  Index index(SeenHeads* remembered) {
    Index out{*store, registry.text(), "metal", trust, remembered};
    out.set_clock([this] { return clock; });
    return out;
  }
  Index index() { return index(&seen); }
};

inline Record record(const std::string& version, const std::string& content = "content") {
  return {"metal",
          version,
          crypto::sha256(content),
          crypto::sha256("package " + content),
          crypto::sha256("index " + content),
          {},
          {},
          "2026-01-01T00:00:00.000Z",
          false,
          {}};
}

}  // namespace test
