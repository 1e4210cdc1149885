#include "capsule/verified_capsule.hpp"

#include <fmt/format.h>

#include "capsule/content_judge.hpp"
#include "capsule/package_reader.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"

namespace capsule {

/// Known only here, so that nobody else can make a VerifiedCapsule.
struct VerifiedCapsule::Facts {
  PackageHead head;
  Digest capsule_digest;
  std::vector<crypto::PublicKey> signers;
  ReadResult read;
};

VerifiedCapsule::VerifiedCapsule(std::shared_ptr<const Facts> facts) : m_facts(std::move(facts)) {}

const Manifest& VerifiedCapsule::manifest() const noexcept {
  return m_facts->head.manifest;
}
const std::string& VerifiedCapsule::manifest_text() const noexcept {
  return m_facts->head.manifest_text;
}
const ChecksumList& VerifiedCapsule::files() const noexcept {
  return m_facts->head.files;
}
const Digest& VerifiedCapsule::capsule_digest() const noexcept {
  return m_facts->capsule_digest;
}
const Digest& VerifiedCapsule::package_digest() const noexcept {
  return m_facts->read.package_digest;
}
std::uint64_t VerifiedCapsule::package_size() const noexcept {
  return m_facts->read.package_size;
}
const Bytes& VerifiedCapsule::signature() const noexcept {
  return *m_facts->head.signature;
}
const std::vector<crypto::PublicKey>& VerifiedCapsule::signers() const noexcept {
  return m_facts->signers;
}
bool VerifiedCapsule::is_canonical() const noexcept {
  return m_facts->read.canonical;
}
const std::vector<Segment>& VerifiedCapsule::segments() const noexcept {
  return m_facts->read.segments;
}

const crypto::PublicKey& signer_of(const PackageHead& head, std::span<const crypto::PublicKey> keys) {
  if (keys.empty()) throw Error{ErrorKind::usage, "no key to verify with: give --key or --trust"};
  const crypto::Message message{as_bytes(head.checksums_text)};
  for (const auto& key : keys) {
    if (key.verify(message, *head.signature)) return key;
  }
  throw Error{ErrorKind::verification_failed,
              fmt::format("signature.sig is not a signature over checksum.sha256 by {}",
                          keys.size() == 1 ? fmt::format("the key {}", keys.front().id())
                                           : fmt::format("any of the {} keys that are trusted", keys.size()))};
}

namespace {

class OneOf final : public SignatureJudge {
 public:
  explicit OneOf(std::span<const crypto::PublicKey> keys) : m_keys(keys) {}
  void judge_head(const PackageHead& head) override { m_signer = signer_of(head, m_keys); }
  std::vector<crypto::PublicKey> judge(const ReadPackage&) override { return {m_signer.value()}; }

 private:
  std::span<const crypto::PublicKey> m_keys;
  std::optional<crypto::PublicKey> m_signer;
};

}  // namespace

VerifiedCapsule verify_package(Source& package, SignatureJudge& signatures, const VerifyOptions& options) {
  ContentJudge judge{
      {options.limits, options.observer, ContentJudge::Signature::required, [&](const PackageHead& head) {
         if (!head.signature) {
           throw Error{ErrorKind::verification_failed, "the package is not signed: signature.sig is missing"};
         }
         signatures.judge_head(head);
       }}};
  auto read = read_package(package, judge,
                           {options.limits, options.segment_digests, options.progress, nullptr, options.workers});
  auto head = judge.take_head();
  auto capsule_digest = crypto::sha256(head.checksums_text);
  auto signers = signatures.judge({head, capsule_digest, read.package_digest});
  return VerifiedCapsule{std::make_shared<const VerifiedCapsule::Facts>(
      VerifiedCapsule::Facts{std::move(head), std::move(capsule_digest), std::move(signers), std::move(read)})};
}

VerifiedCapsule verify_package(Source& package, std::span<const crypto::PublicKey> keys, const VerifyOptions& options) {
  if (keys.empty()) throw Error{ErrorKind::usage, "no key to verify with: give --key or --trust"};
  OneOf judge{keys};
  return verify_package(package, judge, options);
}

}  // namespace capsule
