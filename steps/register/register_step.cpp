#include "register_step.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "attest/own_key.hpp"
#include "cluster/index_memory.hpp"
#include "cluster/proof_note.hpp"
#include "cluster/target_name.hpp"
#include "core/error.hpp"
#include "core/time.hpp"
#include "crypto/pkcs11_uri.hpp"
#include "deploy/proofed_deployment.hpp"
#include "index/index.hpp"
#include "index/uri.hpp"
#include "kube/client.hpp"
#include "log/log.hpp"
#include "referrers.hpp"
#include "registered_proof.hpp"
#include "resolve/resolve.hpp"
#include "step/passphrase.hpp"

namespace register_step {

using namespace capsule;

namespace {

std::unique_ptr<crypto::Signer> open_index_signer(const Options& options) {
  const auto key = crypto::with_module(attest::own_key(options.key, options.state_folder(), attest::Role::index),
                                       options.pkcs11_module);
  return crypto::open_signer(key, step::read_key_secret(key, options.passphrase_file, step::MissingFile::is_none));
}

std::string joined_chains(const std::vector<index::AnchorEntry>& anchors) {
  std::string out;
  for (const auto& anchor : anchors) out += (out.empty() ? "" : ",") + anchor.chain;
  return out;
}

/// What a person sees: each digest, then each check.
std::string summary_of(const index::Found& found, const std::string& reference,
                       const std::optional<capsule::resolve::ProvedCapsule>& proved) {
  const auto& record = found.record;
  auto out = fmt::format("capsule    {}:{}\nreference  {}\ncapsule    {}\npackage    {}\n", record.name, record.version,
                         reference, record.capsule_digest.text(), record.package_digest.text());
  if (record.proof) out += fmt::format("proof      {} {}\n", record.proof->id, record.proof->digest.text());
  out += fmt::format("index      sequence {}, registered {}\n", found.sequence, record.published_at);
  if (!proved) return out;
  out += "checked    signature, checksums and manifest of the package\n";
  if (!proved->proof) return out;
  for (const auto& line : capsule::resolve::checks_of(*proved->proof, proved->receipts))
    out += fmt::format("checked    {}\n", line);
  return out;
}

void put_outputs(const index::Found& found, const std::string& reference, step::Context& step) {
  const auto& record = found.record;
  step.output("name", record.name);
  step.output("version", record.version);
  step.output("reference", reference);
  step.output("capsule-digest", record.capsule_digest.text());
  step.output("package-digest", record.package_digest.text());
  step.output("index-digest", record.index_digest.text());
  step.output("proof-id", record.proof ? record.proof->id : "");
  step.output("proof-digest", record.proof ? record.proof->digest.text() : "");
  step.output("anchors", joined_chains(record.anchors));
  step.output("index-sequence", std::to_string(found.sequence));
  step.output("record-digest", found.record_digest.text());
}

/// That of the kubeconfig where --target names none.
std::string namespace_in(const std::string& target, const kube::Client& client) {
  auto named = cluster::namespace_of_target(target).value();
  return named.empty() ? client.config().ns : named;
}

/// The namespace that --target names, and what the capsule's object there has seen of its index.
struct Cluster {
  Cluster(const Options& options, const std::string& name)
      : client(kube::load({options.kubeconfig, options.context})),
        ns(namespace_in(options.target, client)),
        memory(ns, name),
        object(client, ns, name) {
    try {
      memory.know(object.read());
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::not_found) throw;  // the cluster knows no such objects
    }
  }
  /// The next step's pod is not to be served an older one.
  void note_index() {
    if (object.known() == nullptr) return;
    object.change_status([&](json::Object& changed) { memory.note(changed); });
    memory.warn_unless_noted(object.value());
  }

  kube::Client client;
  std::string ns;
  cluster::IndexMemory memory;
  cluster::DeployedObject object;
};

/// Where the capsule is deployed, its ProofedDeployment object says that its run is proved.
void note_in_deployment(const Options& options, const index::Record& record,
                        const capsule::resolve::ProvedCapsule& proved, Cluster* cluster) {
  if (!proved.proof) return;
  const auto& bundle = proved.proof->bundle;
  deploy::ProofOfRun proof{record.capsule_digest,    bundle.run_record, bundle.proof_id, proved.proof->digest, {},
                           bundle.proof_hash.text(), bundle.utid};
  for (const auto& anchor : record.anchors) proof.anchors.emplace_back(anchor.chain, anchor.digest);
  if (cluster == nullptr) {
    deploy::ProofedDeployment{deploy::ProofedDeployment::file_of(options.state_folder(), record.name)}.proved(proof);
    return;
  }
  if (!cluster::note_proof(cluster->client, cluster->ns, record.name, proof))
    log::info(fmt::format("the proof is of no run that {} in namespace {} had last: nothing is noted there",
                          record.name, cluster->ns));
}

}  // namespace

void register_capsule(const Options& options, step::Context& step) {
  if (options.reference.empty())
    throw Error{ErrorKind::usage, "give the REFERENCE of a published capsule, or one of: resolve, list (see --help)"};
  const auto reference = oci::Reference::parse(options.reference, options.registries.access());
  if (!reference.digest)
    throw Error{ErrorKind::usage,
                "give the reference with the digest of its version index, <name>@sha256:…, so that nothing can change "
                "under it"};
  static_cast<void>(cluster::namespace_of_target(options.target));  // before anything is written
  const auto trust = attest::find_trust(options.trust, {}, options.state_folder().string());
  const auto signer = open_index_signer(options);
  const auto store = oci::open_store(reference.registry, reference.name);

  capsule::resolve::ProofRequest request{*reference.digest, reference.name, {}, {}};
  if (!options.proof_bundle.empty())
    request.bundle = as_usage("--proof-bundle", [&] { return Digest::parse(options.proof_bundle); });
  for (const auto& receipt : options.receipts)
    request.receipts.push_back(as_usage("--receipts", [&] { return Digest::parse(receipt); }));
  auto sorted = request.receipts;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
    throw Error{ErrorKind::usage, "--receipts names a receipt twice"};
  const auto proved = capsule::resolve::check_proof(*store, request, trust, step.progress());

  const auto& published = proved.published;
  index::Record record{published.name,
                       published.version,
                       published.capsule_digest,
                       published.package_digest,
                       *reference.digest,
                       {},
                       {},
                       format_time(now()),
                       false,
                       {}};
  if (proved.proof) record.proof = index::ProofEntry{proved.proof->bundle.proof_id, proved.proof->digest};
  for (const auto& [digest, receipt] : proved.receipts) record.anchors.push_back({receipt.chain, digest});

  std::optional<Cluster> cluster;
  if (cluster::namespace_of_target(options.target)) cluster.emplace(options, record.name);
  index::SeenHeads seen{options.state_folder(), cluster ? &cluster->memory : nullptr};
  index::Index index{*store, reference.registry.text(), reference.name, trust, &seen};
  const auto written = index.put(
      record, *signer, [&](const index::Record& there) { return keeps(there, record, proved, *store, trust); });
  if (cluster) cluster->note_index();
  keep_referrers(*store, proved);
  index::CapsuleUri uri{{},
                        record.name,
                        record.version,
                        {},
                        proved.proof ? index::CapsuleUri::Proof::required : index::CapsuleUri::Proof::not_asked};
  note_in_deployment(options, record, proved, cluster ? &*cluster : nullptr);
  step.output("uri", uri.text());
  step.output("index-sequence", std::to_string(written.sequence));
  step.output("record-digest", written.record_digest.text());
  step.result("changed", written.changed);
}

void resolve(const Options& options, step::Context& step) {
  const auto trust = attest::find_trust(options.trust, {}, options.state_folder().string());
  const auto answer =
      capsule::resolve::resolve({index::CapsuleUri::parse(options.uri), options.registry, options.registries.access(),
                                 trust, options.state_folder(), step.progress()});
  const auto reference = answer.reference().text();
  put_outputs(answer.found, reference, step);
  step.summary(summary_of(answer.found, reference, answer.proved));
}

void list(const Options& options, step::Context& step) {
  const auto registry = oci::RegistryLocation::parse(options.registry, options.registries.access());
  const auto trust = attest::find_trust(options.trust, {}, options.state_folder().string());
  index::SeenHeads seen{options.state_folder()};
  const auto names = options.name.empty() ? oci::repository_names(registry) : std::vector{options.name};
  json::Array entries;
  json::Array left_out;
  std::string text;
  const auto records_of = [&](const std::string& name) -> std::vector<index::Record> {
    const auto store = oci::open_store(registry, name);
    try {
      return index::Index{*store, registry.text(), name, trust, &seen}.records();
    } catch (const Error& error) {
      // Of many names, one that is not ours to trust hides no other.
      if (!options.name.empty() || retry_helps(error.kind())) throw;
      log::warning(fmt::format("'{}' is not listed: {}", printable(name), error.message()));
      left_out.push_back(json::Object{{"name", name}, {"reason", error.message()}});
      return {};
    }
  };
  for (const auto& name : names) {
    for (const auto& record : records_of(name)) {
      entries.push_back(json::Object{{"name", name},
                                     {"version", record.version},
                                     {"capsule_digest", record.capsule_digest.text()},
                                     {"proved", record.proof.has_value()}});
      text += fmt::format("capsule://{}:{}{}  {}\n", name, record.version, record.proof ? "?proof=true" : "",
                          record.capsule_digest.text());
    }
  }
  if (text.empty()) text = left_out.empty() ? "nothing is registered here\n" : "nothing here may be listed\n";
  step.result("capsules", std::move(entries));
  step.result("left_out", std::move(left_out));
  step.summary(text);
}

}  // namespace register_step
