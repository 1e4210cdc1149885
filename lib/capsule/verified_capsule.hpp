#pragma once

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
  unsigned workers = 0;  ///< threads; 0: as many as help
};

/// A capsule whose signature, checksums and manifest held: only verify_package makes one, and what must not touch an
/// unverified capsule asks for this type.
class VerifiedCapsule {
 public:
  [[nodiscard]] const Manifest& manifest() const noexcept;
  [[nodiscard]] const std::string& manifest_text() const noexcept;  ///< capsule.json, the bytes
  [[nodiscard]] const ChecksumList& files() const noexcept;
  [[nodiscard]] const Digest& capsule_digest() const noexcept;  ///< SHA-256 of checksum.sha256: what it is
  [[nodiscard]] const Digest& package_digest() const noexcept;  ///< SHA-256 of the file
  [[nodiscard]] std::uint64_t package_size() const noexcept;    ///< bytes
  [[nodiscard]] const Bytes& signature() const noexcept;        ///< signature.sig
  /// The trusted keys that signed it, each once: at least one; that of signature.sig first, if it is among them.
  [[nodiscard]] const std::vector<crypto::PublicKey>& signers() const noexcept;
  /// Whether the bytes are those that pack and sign would write. Only then are there segments.
  [[nodiscard]] bool is_canonical() const noexcept;
  [[nodiscard]] const std::vector<Segment>& segments() const noexcept;

  struct Facts;
  explicit VerifiedCapsule(std::shared_ptr<const Facts> facts);  ///< for verify_package alone

 private:
  std::shared_ptr<const Facts> m_facts;
};

/// What was read, for whom judges its signatures; the head's list is compared with every file by then.
struct ReadPackage {
  const PackageHead& head;
  Digest capsule_digest;
  Digest package_digest;
};

/// Decides whether a package is signed as it must be, and by whom.
class SignatureJudge {
 public:
  SignatureJudge() = default;
  SignatureJudge(const SignatureJudge&) = delete;
  SignatureJudge& operator=(const SignatureJudge&) = delete;
  virtual ~SignatureJudge() = default;
  /// Once the head is there: its list and manifest are well formed, it has a signature.sig, and nothing of it is to be
  /// believed. Throws where nothing that follows could make the package good: then nothing more is read.
  virtual void judge_head(const PackageHead& head) = 0;
  /// At the end, when all the rest holds: the trusted keys that signed. Throws where they do not suffice.
  virtual std::vector<crypto::PublicKey> judge(const ReadPackage& package) = 0;
};

/// The one of `keys` whose signature over checksum.sha256 signature.sig is, which must be there. Error
/// verification_failed, usage (no keys).
const crypto::PublicKey& signer_of(const PackageHead& head, std::span<const crypto::PublicKey> keys);

/// Reads a package once, from front to back, and returns only if all holds: gzip and tar are strict and well formed
/// (canonical, or another tool's within the README's bounds), the judge accepts the signatures, every file has its
/// checksum and none is missing or surplus, the manifest is valid, the entrypoint is there. Constant memory. Where the
/// head comes first, a package that is not signed rightly is refused before the rest is read. Errors: invalid_input
/// (malformed), verification_failed (signature, digest), usage (no keys).
VerifiedCapsule verify_package(Source& package, SignatureJudge& judge, const VerifyOptions& options = {});
/// The same: one of `keys` must have signed checksum.sha256.
VerifiedCapsule verify_package(Source& package, std::span<const crypto::PublicKey> keys,
                               const VerifyOptions& options = {});

}  // namespace capsule
