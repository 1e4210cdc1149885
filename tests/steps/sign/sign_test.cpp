#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "keygen.hpp"
#include "log/progress.hpp"
#include "sign_package.hpp"
#include "support/sample_package.hpp"

using namespace capsule;

namespace {

/// Counts how often it is asked for a signature; fails from a given time on, as a token that was pulled out does.
class CountingSigner final : public crypto::Signer {
 public:
  explicit CountingSigner(crypto::KeyType type = crypto::KeyType::ecdsa_p256) {
    const fs::TemporaryFolder folder{fs::temporary_parent()};
    const auto path = folder.path() / "key.pem";
    fs::write_file(path, crypto::generate_key(type).private_pem.reveal(), 0600);
    m_signer = crypto::open_signer(path.string(), std::nullopt);
  }
  [[nodiscard]] crypto::PublicKey public_key() const override { return m_signer->public_key(); }
  [[nodiscard]] Bytes sign(const crypto::Message& message) const override {
    if (count == fail_at) throw Error{ErrorKind::denied, "the token is gone"};
    ++count;
    return m_signer->sign(message);
  }
  mutable int count = 0;
  int fail_at = -1;

 private:
  std::unique_ptr<crypto::Signer> m_signer;
};

sign::SignedPackage sign_it(const fs::Path& package, const crypto::Signer& signer) {
  log::SilentProgress progress;
  return sign::sign_package(package, signer, progress);
}

/// An unsigned package in a folder of its own.
class Unsigned {
 public:
  explicit Unsigned(Compression compression = Compression::store) : m_sample(files(), compression) {
    std::filesystem::create_directory(folder());
    std::filesystem::copy_file(m_sample.path() / "unsigned.tar.gz", path());
  }
  [[nodiscard]] fs::Path folder() const { return m_sample.path() / "work"; }
  [[nodiscard]] fs::Path path() const { return folder() / "p.tar.gz"; }

 private:
  static sample::Files files() {
    auto files = sample::files();
    files.erase("capsule.tarball");  // the sample's is no image, which matters here
    return files;
  }
  sample::Package m_sample;
};

std::size_t files_in(const fs::Path& folder) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator{folder}) count += entry.is_regular_file() ? 1U : 0U;
  return count;
}

}  // namespace

TEST_CASE("three signatures are made, and none the second time") {
  for (const auto type :
       {crypto::KeyType::ecdsa_p256, crypto::KeyType::ecdsa_p384, crypto::KeyType::rsa, crypto::KeyType::ed25519}) {
    CAPTURE(name_of(type));
    const Unsigned package;
    const CountingSigner signer{type};
    const auto first = sign_it(package.path(), signer);
    CHECK(signer.count == 3);
    CHECK((first.package_written && first.bundle_written && first.index_bundle_written && first.hints_written));
    const auto second = sign_it(package.path(), signer);
    CHECK(signer.count == 3);
    CHECK_FALSE(second.changed());
    CHECK(second.package_digest == first.package_digest);
    CHECK(second.index_digest == first.index_digest);
    CHECK(sample::verify(package.path(), signer.public_key()).package_digest() == first.package_digest);
  }
}

TEST_CASE("a signer that fails leaves the package as it was, and the next call completes what is missing") {
  const Unsigned package;
  const auto path = package.path();
  const auto before = fs::read_file(path, 10'000'000);
  const auto files = files_in(package.folder());
  CountingSigner signer;
  signer.fail_at = 0;
  CHECK(sample::error_kind([&] { (void)sign_it(path, signer); }) == "denied");
  CHECK(fs::read_file(path, 10'000'000) == before);
  CHECK(files_in(package.folder()) == files);
  signer.fail_at = 1;  // the package is signed, its bundles are not
  CHECK(sample::error_kind([&] { (void)sign_it(path, signer); }) == "denied");
  const auto signed_bytes = fs::read_file(path, 10'000'000);
  CHECK(signed_bytes != before);
  signer.fail_at = -1;
  const auto result = sign_it(path, signer);
  CHECK_FALSE(result.package_written);
  CHECK((result.bundle_written && result.index_bundle_written));
  CHECK(fs::read_file(path, 10'000'000) == signed_bytes);
}

TEST_CASE("a compressed package stays compressed under its signature") {
  const Unsigned package{Compression::automatic};
  const auto path = package.path();
  const auto size = std::filesystem::file_size(path);
  const CountingSigner signer;
  const auto result = sign_it(path, signer);
  CHECK(std::filesystem::file_size(path) < size + 2000);
  CHECK(sample::verify(path, signer.public_key()).package_digest() == result.package_digest);
}

TEST_CASE("keys of a state folder complete each other") {
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  const auto first = sign::generate_state_keys(folder.path());
  REQUIRE(first.keys.size() == 4);
  CHECK(first.untrusted.empty());
  std::filesystem::remove(first.keys.at(3).private_key);
  std::filesystem::remove(first.keys.at(3).public_key);
  const auto second = sign::generate_state_keys(folder.path());
  CHECK(second.keys.at(0).id == first.keys.at(0).id);
  CHECK_FALSE(second.keys.at(0).is_fresh);
  CHECK(second.keys.at(3).is_fresh);
  CHECK(second.untrusted == std::vector<std::string>{"log"});
}
