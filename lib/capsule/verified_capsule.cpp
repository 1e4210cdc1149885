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
  crypto::PublicKey signed_by;
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
const crypto::PublicKey& VerifiedCapsule::signed_by() const noexcept {
  return m_facts->signed_by;
}
bool VerifiedCapsule::is_canonical() const noexcept {
  return m_facts->read.canonical;
}
const std::vector<Segment>& VerifiedCapsule::segments() const noexcept {
  return m_facts->read.segments;
}

namespace {

/// The one of the trusted keys that signed this list.
crypto::PublicKey signer_of(const PackageHead& head, const KeyChooser& keys_for) {
  if (!head.signature) {
    throw Error{ErrorKind::verification_failed, "the package is not signed: signature.sig is missing"};
  }
  const auto keys = keys_for(head.manifest);
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

}  // namespace

VerifiedCapsule verify_package(Source& package, const KeyChooser& keys_for, const VerifyOptions& options) {
  std::optional<crypto::PublicKey> key;
  ContentJudge judge{{options.limits, options.observer, ContentJudge::Signature::required,
                      [&](const PackageHead& head) { key = signer_of(head, keys_for); }}};
  auto read = read_package(package, judge, {options.limits, options.segment_digests, options.progress, nullptr});
  auto head = judge.take_head();
  auto capsule_digest = crypto::sha256(head.checksums_text);
  return VerifiedCapsule{std::make_shared<const VerifiedCapsule::Facts>(
      VerifiedCapsule::Facts{std::move(head), std::move(capsule_digest), *std::move(key), std::move(read)})};
}

VerifiedCapsule verify_package(Source& package, std::span<const crypto::PublicKey> keys, const VerifyOptions& options) {
  if (keys.empty()) throw Error{ErrorKind::usage, "no key to verify with: give --key or --trust"};
  return verify_package(
      package, [keys](const Manifest&) { return std::vector<crypto::PublicKey>(keys.begin(), keys.end()); }, options);
}

}  // namespace capsule
