#pragma once

#include <memory>
#include <optional>
#include <string>

#include "attest/trust_policy.hpp"
#include "fs/fd.hpp"
#include "index/index.hpp"
#include "index/uri.hpp"
#include "log/progress.hpp"
#include "oci/reference.hpp"
#include "resolve/proved_capsule.hpp"

namespace capsule::resolve {

struct Question {
  index::CapsuleUri uri;
  std::string registry;  ///< where the URI names none; may be empty
  std::shared_ptr<const oci::Access> access;
  const attest::TrustPolicy& trust;
  fs::Path state;  ///< remembers the heads that were seen
  log::Progress& progress;
  index::HeadsElsewhere* seen_elsewhere = nullptr;  ///< remembers them too; null: nobody does
};

/// What a capsule:// URI stands for.
struct Answer {
  oci::RegistryLocation registry;
  index::Found found;
  std::optional<ProvedCapsule> proved;  ///< where the URI asks for a proof: all of it was checked

  /// By the digest of the version index.
  [[nodiscard]] oci::Reference reference() const;
};

/// Finds it in the signed index of its name. With `?proof=true` only if the package, its proof and its receipts verify
/// and are those that the index names. Errors: usage (no registry), not_found (not registered, or withdrawn),
/// verification_failed; those of check_proof.
Answer resolve(const Question& question);

/// The proof that the index names of a version, and its receipts: all of it is checked, against `facts` of the verified
/// package. Errors of check_proof.
ProofAndReceipts check_registered_proof(oci::Store& store, const index::Record& record,
                                        const proof::CapsuleFacts& facts, const attest::TrustPolicy& trust);

/// Error verification_failed unless the record of the index is about that capsule: name, version and both digests.
void check_same_capsule(const index::Record& record, const image::PublishedPackage& published);

}  // namespace capsule::resolve
