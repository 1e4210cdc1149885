#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "capsule/checked_package.hpp"
#include "capsule/pack.hpp"
#include "capsule/verified_capsule.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "crypto/key.hpp"
#include "fs/atomic_file.hpp"
#include "fs/temporary.hpp"

namespace sample {

using Files = std::map<std::string, std::string>;

inline const std::string manifest = R"({"name":"sample","version":"1.2.3","entrypoint":"expansion/run.sh"})";

/// A small capsule.
inline Files files() {
  return {{"capsule.json", manifest},
          {"capsule.tarball", std::string(1000, 't')},
          {"expansion/model.bin", std::string(3'000'000, 'm')},
          {"expansion/run.sh", "#!/bin/sh\necho '{}'\n"},
          {"expansion/empty", ""},
          {"scripts/install.sh", "#!/bin/sh\n"}};
}

inline void write_files(const capsule::fs::Path& folder, const Files& files) {
  for (const auto& [path, content] : files) {
    std::filesystem::create_directories((folder / path).parent_path());
    std::ofstream{folder / path, std::ios::binary} << content;
  }
}

/// A folder, its package, and the package signed by a fresh key.
class Package {
 public:
  explicit Package(const Files& files = sample::files(),
                   capsule::Compression compression = capsule::Compression::store) {
    write_files(folder(), files);
    packed = capsule::pack_folder({folder(), (path() / "unsigned.tar.gz").string(), compression, {}, nullptr});
    capsule::fs::FileSource source{packed->package};
    capsule::fs::AtomicFile out{signed_package()};
    const auto signer = capsule::crypto::open_signer(key_path(), std::nullopt);
    capsule::CheckOptions options;
    options.sign = [&](const capsule::PackageHead& head) {
      return signer->sign(capsule::as_bytes(head.checksums_text));
    };
    options.output = &out;
    signed_facts = capsule::check_package(source, options);
    out.commit();
  }

  [[nodiscard]] capsule::fs::Path path() const { return m_temporary.path(); }
  [[nodiscard]] capsule::fs::Path folder() const { return path() / "folder"; }
  [[nodiscard]] capsule::fs::Path signed_package() const { return path() / "signed.tar.gz"; }
  [[nodiscard]] capsule::crypto::PublicKey key() const {
    return capsule::crypto::PublicKey::from_pem(m_keys.public_pem, "the test's key");
  }

  std::optional<capsule::PackResult> packed;
  std::optional<capsule::CheckedPackage> signed_facts;

 private:
  std::string key_path() const {
    capsule::fs::write_file(path() / "key.pem", m_keys.private_pem.reveal(), 0600);
    return path() / "key.pem";
  }
  capsule::fs::TemporaryFolder m_temporary{capsule::fs::temporary_parent()};
  capsule::crypto::KeyPair m_keys = capsule::crypto::generate_key(capsule::crypto::KeyType::ecdsa_p256);
};

inline capsule::VerifiedCapsule verify(const capsule::fs::Path& package, const capsule::crypto::PublicKey& key,
                                       const capsule::VerifyOptions& options = {}) {
  capsule::fs::FileSource source{package};
  return capsule::verify_package(source, std::span{&key, 1}, options);
}

/// The kind of the Error that `work` ends with.
template <typename Work>
std::string error_kind(Work&& work) {
  try {
    work();
  } catch (const capsule::Error& error) {
    return std::string{capsule::name_of(error.kind())};
  }
  return "none";
}

}  // namespace sample
