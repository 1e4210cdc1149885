#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "capsule/checksum_list.hpp"
#include "capsule/manifest.hpp"
#include "capsule/package_head.hpp"
#include "capsule/segment.hpp"
#include "core/digest.hpp"
#include "core/stream.hpp"
#include "crypto/key.hpp"
#include "fs/safe_path.hpp"
#include "log/progress.hpp"

namespace capsule {

/// Sees a package go by while it is verified. Nothing that it sees is trusted before verify returns: what it keeps must
/// be thrown away when an error is thrown.
class PackageObserver {
 public:
  PackageObserver() = default;
  PackageObserver(const PackageObserver&) = delete;
  PackageObserver& operator=(const PackageObserver&) = delete;
  virtual ~PackageObserver() = default;
  /// A file begins; its path and size are those of the signed checksum list's neighbourhood: safe, unique, within
  /// limits.
  virtual void begin_file(const fs::SafePath& path, std::uint64_t size, bool executable) {
    (void)path, (void)size, (void)executable;
  }
  virtual void file_bytes(ByteView bytes) { (void)bytes; }
  virtual void end_file() {}
};

enum class SegmentDigests { no, yes };

struct VerifyOptions {
  PackageLimits limits = {};
  SegmentDigests segment_digests = SegmentDigests::no;
  PackageObserver* observer = nullptr;
  log::Progress* progress = nullptr;
};

/// A capsule whose signature, checksums and manifest held: only verify_package makes one, and what must not touch an
/// unverified capsule asks for this type.
class VerifiedCapsule {
 public:
  [[nodiscard]] const Manifest& manifest() const noexcept;
  [[nodiscard]] const std::string& manifest_text() const noexcept;  ///< capsule.json, the bytes
  [[nodiscard]] const ChecksumList& files() const noexcept;
  [[nodiscard]] const Digest& capsule_digest() const noexcept;        ///< SHA-256 of checksum.sha256: what it is
  [[nodiscard]] const Digest& package_digest() const noexcept;        ///< SHA-256 of the file
  [[nodiscard]] std::uint64_t package_size() const noexcept;          ///< bytes
  [[nodiscard]] const Bytes& signature() const noexcept;              ///< signature.sig
  [[nodiscard]] const crypto::PublicKey& signed_by() const noexcept;  ///< the key of those given that verified
  /// Whether the bytes are those that pack and sign would write. Only then are there segments.
  [[nodiscard]] bool is_canonical() const noexcept;
  [[nodiscard]] const std::vector<Segment>& segments() const noexcept;

  struct Facts;
  explicit VerifiedCapsule(std::shared_ptr<const Facts> facts);  ///< for verify_package alone

 private:
  std::shared_ptr<const Facts> m_facts;
};

/// The keys that may sign a capsule, by what its manifest claims (name, version). The claim only selects: the manifest
/// is listed in the checksums that one of these keys must have signed.
using KeyChooser = std::function<std::vector<crypto::PublicKey>(const Manifest& claimed)>;

/// Reads a package once, from front to back, and returns only if all holds: gzip and tar are strict and well formed
/// (canonical, or another tool's within the README's bounds), the signature over checksum.sha256 is one of the keys',
/// every file has its checksum and none is missing or surplus, the manifest is valid, the entrypoint is there. Constant
/// memory. Where the head comes first, a package that is not signed rightly is refused before the rest is read. Errors:
/// invalid_input (malformed), verification_failed (signature, digest), usage (no keys).
VerifiedCapsule verify_package(Source& package, const KeyChooser& keys_for, const VerifyOptions& options = {});
VerifiedCapsule verify_package(Source& package, std::span<const crypto::PublicKey> keys,
                               const VerifyOptions& options = {});

}  // namespace capsule
