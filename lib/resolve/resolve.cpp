#include "resolve/resolve.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "image/published_package.hpp"

namespace capsule::resolve {

namespace {

oci::RegistryLocation registry_of(const Question& question) {
  if (!question.uri.registry.empty())
    return oci::RegistryLocation::parse("oci://" + question.uri.registry, question.access);
  if (question.registry.empty()) throw Error{ErrorKind::usage, "the URI names no registry: give --registry"};
  return oci::RegistryLocation::parse(question.registry, question.access);
}

ProofRequest request_of(const index::Record& record) {
  ProofRequest request{record.index_digest, record.name, {}, {}};
  if (record.proof) request.bundle = record.proof->digest;
  for (const auto& anchor : record.anchors) request.receipts.push_back(anchor.digest);
  return request;
}

/// What the record says of its proof and its anchors is what callers print: it must be what the bundle and the receipts
/// say. Receipts stand in the order of the record's anchors.
void check_same_proof(const index::Record& record, const std::optional<proof::CheckedProof>& proof,
                      const std::vector<AnchoredReceipt>& receipts) {
  const auto require = [&](std::string_view what, const std::string& said, const std::string& found) {
    if (said == found) return;
    throw Error{ErrorKind::verification_failed,
                fmt::format("the index says that {} of {}:{} is '{}', but it is '{}'", what, record.name,
                            record.version, printable(said, 80), printable(found, 80))};
  };
  require("the proof", record.proof->id, proof->bundle.proof_id);
  for (std::size_t i = 0; i < record.anchors.size(); ++i)
    require("an anchor", record.anchors[i].chain, receipts[i].receipt.chain);
}

ProvedCapsule prove(oci::Store& store, const index::Record& record, const Question& question) {
  if (!record.proof) {
    throw Error{
        ErrorKind::verification_failed,
        fmt::format("{}:{} is registered without a proof, and ?proof=true asks for one", record.name, record.version)};
  }
  auto proved = check_proof(store, request_of(record), question.trust, question.progress);
  check_same_capsule(record, proved.published);
  check_same_proof(record, proved.proof, proved.receipts);
  return proved;
}

/// A digest says no version, but the version index behind it does: so one record is read, however many there are.
index::Found find(index::Index& index, oci::Store& store, const index::CapsuleUri& uri) {
  if (!uri.digest) return index.find(uri.version);
  auto found = index.find(image::published_version(store, *uri.digest));
  if (found.record.index_digest == *uri.digest) return found;
  throw Error{ErrorKind::not_found,
              fmt::format("no version of '{}' in the index has the digest {}: {} is registered with {}", uri.name,
                          uri.digest->text(), found.record.version, found.record.index_digest.text())};
}

}  // namespace

ProofAndReceipts check_registered_proof(oci::Store& store, const index::Record& record,
                                        const proof::CapsuleFacts& facts, const attest::TrustPolicy& trust) {
  auto out = check_proof_of(store, request_of(record), facts, trust);
  if (out.proof) check_same_proof(record, out.proof, out.receipts);
  return out;
}

void check_same_capsule(const index::Record& record, const image::PublishedPackage& published) {
  const bool same = published.name == record.name && published.version == record.version &&
                    published.capsule_digest == record.capsule_digest &&
                    published.package_digest == record.package_digest;
  if (!same) {
    throw Error{ErrorKind::verification_failed,
                fmt::format("the index says {}:{} {}, but the package behind it is {}:{} {}", record.name,
                            record.version, record.capsule_digest.brief(), printable(published.name),
                            printable(published.version), published.capsule_digest.brief())};
  }
}

oci::Reference Answer::reference() const {
  return {registry, found.record.name, {}, found.record.index_digest};
}

Answer resolve(const Question& question) {
  const auto& uri = question.uri;
  const auto registry = registry_of(question);
  const auto store = oci::open_store(registry, uri.name);
  index::SeenHeads seen{question.state, question.seen_elsewhere};
  index::Index index{*store, registry.text(), uri.name, question.trust, &seen};
  Answer answer{registry, find(index, *store, uri), {}};
  const auto& record = answer.found.record;
  if (record.yanked) throw Error{ErrorKind::not_found, fmt::format("{}:{} was withdrawn", record.name, record.version)};
  for (const auto& digest : {record.index_digest, record.capsule_digest, record.package_digest})
    question.trust.check_revoked(digest);
  if (uri.proof == index::CapsuleUri::Proof::required) answer.proved = prove(*store, record, question);
  return answer;
}

}  // namespace capsule::resolve
