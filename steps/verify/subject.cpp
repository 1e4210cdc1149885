#include "subject.hpp"

#include "attest/bundle.hpp"
#include "capsule/extractor.hpp"
#include "core/error.hpp"
#include "image/published_form.hpp"
#include "image/published_package.hpp"
#include "image/verified_form.hpp"
#include "image/working_store.hpp"
#include "index/uri.hpp"
#include "oci/reference.hpp"
#include "resolve/resolve.hpp"

namespace verify_step {

using namespace capsule;

namespace {

Subject published_subject(std::unique_ptr<oci::Store> store, image::PublishedPackage published) {
  Subject out{std::move(store), published.index.digest, {}, {}, {}};
  out.input = image::published_package(*out.store, std::move(published));
  return out;
}

Subject registered_subject(const Options& options, const attest::TrustPolicy& trust, log::Progress& progress) {
  auto answer = resolve::resolve({index::CapsuleUri::parse(options.capsule), options.registry,
                                  options.registries.access(), trust, options.state_folder(), progress});
  auto store = oci::open_store(answer.registry, answer.found.record.name);
  auto published = image::read_published(*store, answer.found.record.index_digest);
  // What the registry claims is compared with the record here, and with the verified package by the input.
  resolve::check_same_capsule(answer.found.record, published);
  auto out = published_subject(std::move(store), std::move(published));
  out.found = std::move(answer.found);
  out.proved = std::move(answer.proved);
  return out;
}

/// The version index that publish would put for a package that is in no registry.
Digest index_of(image::CapsuleInput& input, const attest::TrustPolicy& trust, log::Progress& progress) {
  progress.begin("reading", input.size());
  const auto form = image::verify_form(input, trust, {.segment_digests = SegmentDigests::yes, .progress = &progress});
  progress.end();
  if (!form.facts) {
    throw Error{ErrorKind::usage,
                "another tool's package has no version index that a proof could be about: publish it, then name what "
                "was published"};
  }
  return image::published_form(*form.facts).index.descriptor.digest;
}

proof::RecordReader reader_of(const Subject& subject, const Options& options) {
  if (!options.run_record.empty())
    return [path = options.run_record](const Digest&) { return fs::read_file(path, proof::max_run_record_bytes); };
  if (subject.store) return proof::record_reader(*subject.store);
  throw Error{ErrorKind::usage, "a proof is about a run: give --run-record FILE, or name the published capsule"};
}

proof::CheckedProof check_bundle(const Subject& subject, const Options& options, const attest::TrustPolicy& trust,
                                 const proof::CapsuleFacts& facts, log::Progress& progress) {
  if (options.proof.starts_with("sha256:")) {
    if (!subject.store)
      throw Error{ErrorKind::usage, "--proof sha256:… is beside a published capsule: name that, or give the file"};
    const auto digest = as_usage("--proof", [&] { return Digest::parse(options.proof); });
    return proof::check_published_proof(*subject.store, *subject.index, digest, facts, trust);
  }
  const auto read_record = reader_of(subject, options);
  const auto text = fs::read_file(options.proof, attest::max_bundle_bytes);
  const auto index = subject.index ? *subject.index : index_of(*subject.input, trust, progress);
  return proof::check_given_proof(text, index, facts, trust, read_record);
}

/// In the pass that verifies it. What is there under that name was verified once, but by whom was it changed since?
Verified unpack(const Subject& subject, const fs::Path& folder, const attest::TrustPolicy& trust,
                log::Progress& progress) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fs::throw_errno("create the folder", folder, error.value());
  Extractor extractor{folder};
  progress.begin("unpacking", subject.input->size());
  auto capsule = image::verify_input(*subject.input, trust, {.observer = &extractor, .progress = &progress});
  auto root = extractor.replace(capsule);
  progress.end();
  return {std::move(capsule), {}, {}, std::move(root)};
}

Verified with_proof(const Subject& subject, const Options& options, const attest::TrustPolicy& trust,
                    log::Progress& progress) {
  if (subject.proved) return {subject.proved->capsule, subject.proved->proof, subject.proved->receipts};
  progress.begin("verifying", subject.input->size());
  auto [capsule, facts] = proof::verify_with_facts(*subject.input, trust, &progress);
  progress.end();
  auto proof = check_bundle(subject, options, trust, facts, progress);
  return {std::move(capsule), std::move(proof), {}};
}

}  // namespace

Subject find_subject(const Options& options, const attest::TrustPolicy& trust, log::Progress& progress) {
  if (index::CapsuleUri::looks_like(options.capsule)) return registered_subject(options, trust, progress);
  if (oci::Reference::looks_like(options.capsule)) {
    const auto reference = oci::Reference::parse(options.capsule, options.registries.access());
    auto store = oci::open_store(reference.registry, reference.name);
    auto published = image::read_published(*store, reference);
    return published_subject(std::move(store), std::move(published));
  }
  const image::WorkingStore store{options.store.empty() ? options.state_folder() / "store" : options.store};
  return {{}, {}, image::locate_capsule(options.capsule, store), {}, {}};
}

Verified verify(const Subject& subject, const Options& options, const attest::TrustPolicy& trust,
                log::Progress& progress) {
  if (subject.proved || !options.proof.empty()) {
    auto out = with_proof(subject, options, trust, progress);
    if (options.unpack.empty()) return out;
    auto again = unpack(subject, options.unpack, trust, progress);
    if (again.capsule.package_digest() != out.capsule.package_digest())
      throw Error{ErrorKind::verification_failed, "the package changed while it was verified"};
    out.unpacked = std::move(again.unpacked);
    return out;
  }
  if (!options.unpack.empty()) return unpack(subject, options.unpack, trust, progress);
  progress.begin("verifying", subject.input->size());
  auto capsule = image::verify_input(*subject.input, trust, {.progress = &progress});
  progress.end();
  return {std::move(capsule), {}, {}};
}

}  // namespace verify_step
