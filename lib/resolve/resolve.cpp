#include "resolve/resolve.hpp"

#include <fmt/format.h>

#include "core/error.hpp"

namespace capsule::resolve {

namespace {

oci::RegistryLocation registry_of(const Question& question) {
  const auto& place = question.uri.registry.empty() ? question.registry : question.uri.registry;
  if (place.empty()) throw Error{ErrorKind::usage, "the URI names no registry: give --registry oci-layout:DIR"};
  return oci::RegistryLocation::parse(place);
}

ProofRequest request_of(const index::Record& record) {
  ProofRequest request{record.index_digest, record.name, {}, {}};
  if (record.proof) request.bundle = record.proof->digest;
  for (const auto& anchor : record.anchors) request.receipts.push_back(anchor.digest);
  return request;
}

ProvedCapsule prove(oci::Store& store, const index::Record& record, const Question& question) {
  if (!record.proof) {
    throw Error{
        ErrorKind::verification_failed,
        fmt::format("{}:{} is registered without a proof, and ?proof=true asks for one", record.name, record.version)};
  }
  auto proved = check_proof(store, request_of(record), question.trust, question.progress);
  check_same_capsule(record, proved.published);
  return proved;
}

}  // namespace

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
  index::SeenHeads seen{question.state};
  index::Index index{*store, registry.text(), uri.name, question.trust, &seen};
  Answer answer{registry, uri.digest ? index.find_digest(*uri.digest) : index.find(uri.version), {}};
  const auto& record = answer.found.record;
  if (record.yanked) throw Error{ErrorKind::not_found, fmt::format("{}:{} was withdrawn", record.name, record.version)};
  if (uri.proof == index::CapsuleUri::Proof::required) answer.proved = prove(*store, record, question);
  return answer;
}

}  // namespace capsule::resolve
