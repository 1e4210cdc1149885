#pragma once

#include <memory>
#include <string>

#include "anchor/tile_log.hpp"
#include "attest/trust_policy.hpp"
#include "core/digest.hpp"
#include "json/value.hpp"
#include "oci/store.hpp"

namespace capsule::anchor {

/// What shows that a proof bundle was anchored: enough to check it again with nothing but the anchor's key.
struct Receipt {
  Digest bundle_digest;
  std::string chain;  ///< as the manifest names it, e.g. "log:local"
  std::string tx;     ///< where on the chain: for a log the entry's index
  std::string time;   ///< RFC 3339, bound by the proof
  json::Value proof;  ///< what the kind of chain needs; for a log {entry, checkpoint, path[]}

  [[nodiscard]] json::Value to_json() const;
  /// Error invalid_input with the pointer.
  static Receipt from_json(const json::Value& value, const std::string& document);
};

/// A place that keeps a digest for good: a log in a folder; later EVM chains and RFC 3161 services.
class Anchor {
 public:
  Anchor() = default;
  Anchor(const Anchor&) = delete;
  Anchor& operator=(const Anchor&) = delete;
  virtual ~Anchor() = default;
  /// The name by which a manifest asks for it, e.g. "log:local".
  [[nodiscard]] virtual std::string chain() const = 0;
  /// Error verification_failed where `trust` would refuse the receipts of this anchor: asked before anything is
  /// written.
  virtual void require_trusted(const attest::TrustPolicy& trust) const = 0;
  /// Anchors a digest, or finds where it was anchored before: the digest is the idempotency key, so that nothing is
  /// paid for twice.
  virtual Receipt anchor(const Digest& bundle_digest) = 0;
};

/// A transparency log in a folder (tile_log.hpp), signed by `signer`; what it signed is remembered below `state`.
class LogAnchor final : public Anchor {
 public:
  LogAnchor(fs::Path folder, std::string name, const crypto::Signer& signer, const fs::Path& state);
  [[nodiscard]] std::string chain() const override;
  void require_trusted(const attest::TrustPolicy& trust) const override;
  Receipt anchor(const Digest& bundle_digest) override;

 private:
  std::string m_name;
  SeenCheckpoints m_seen;
  TileLog m_log;
  const crypto::Signer& m_signer;
};

/// Checks that `receipt` is about `bundle_digest` and that its proof holds under a key that `trust` has for it.
/// Compares every bound field. Error verification_failed; an unknown kind of chain fails.
void verify_receipt(const Receipt& receipt, const Digest& bundle_digest, const attest::TrustPolicy& trust);

/// Attaches a receipt to the version index that its bundle is about, and to the bundle itself, so that it is found
/// however many receipts the version has (a store lists only some); the same again changes nothing. Returns the digest
/// of the receipt's bytes.
Digest attach_receipt(oci::Store& store, const oci::Descriptor& version_index, const Receipt& receipt);

}  // namespace capsule::anchor
