#include "prove.hpp"

#include <fmt/format.h>

#include "attest/bundle.hpp"
#include "attest/own_key.hpp"
#include "cluster/shared_proof.hpp"
#include "core/error.hpp"
#include "deploy/replay.hpp"
#include "fs/temporary.hpp"
#include "http/curl_client.hpp"
#include "http/retry.hpp"
#include "image/published_package.hpp"
#include "json/lookup.hpp"
#include "json/parse.hpp"
#include "kube/client.hpp"
#include "log/log.hpp"
#include "own_service.hpp"
#include "place.hpp"
#include "pod_place.hpp"
#include "proof/proof_service.hpp"
#include "proof/refute.hpp"
#include "proof_memory.hpp"
#include "replay/second_run.hpp"
#include "replay/unpacked.hpp"

namespace generate_proof {

using namespace capsule;

namespace {

/// The proof service for this proof: a given one, or our own.
class Service {
 public:
  explicit Service(const Task& task)
      : m_own(task.service ? nullptr : std::make_unique<OwnService>(task.state)),
        m_curl({.plain_http = task.insecure_services}),
        m_client(m_curl),
        m_service(m_client, task.service ? *task.service : m_own->url(), task.api_key) {}
  proof::ProofService& operator*() noexcept { return m_service; }
  proof::ProofService* operator->() noexcept { return &m_service; }

 private:
  std::unique_ptr<OwnService> m_own;
  http::CurlClient m_curl;
  http::RetryingClient m_client;
  proof::ProofService m_service;
};

std::string name_of_service(const Task& task) {
  return task.service ? task.service->loggable() : std::string{embedded};
}

/// A proof_id that the hook gave must be for this proof: made for our hash, by our UTID.
void require_ours(const std::optional<proof::ServiceProof>& found, const std::string& proof_id,
                  const Digest& proof_hash, const std::string& utid) {
  const auto refuse = [&](std::string_view reason) {
    throw Error{ErrorKind::verification_failed,
                fmt::format("the hook's proof_id {} is not good: {}", printable(proof_id, 64), reason)};
  };
  if (!found) refuse("the proof service does not know it");
  if (found->hash != proof_hash.text())
    refuse(fmt::format("at the proof service it stands for {}, not for {}", printable(found->hash, 80),
                       proof_hash.text()));
  if (!found->utid.empty() && found->utid != utid)
    refuse(fmt::format("at the proof service it is of the UTID {}", printable(found->utid, 200)));
}

Subject unpack(oci::Store& store, const Digest& version_index, const Task& task) {
  auto published = image::read_published(store, version_index);
  const auto input = image::published_package(store, published);
  auto unpacked = replay::unpack(*input, task.trust, task.state / "proofs", task.progress);
  auto hook = proof::hook_file(unpacked.capsule, "generate_proof.py").value_or("");
  return {std::move(published), std::move(unpacked), std::move(hook)};
}

static_assert(deploy::max_run_record_bytes <= proof::max_run_record_bytes, "what deploy writes can be proven");

/// One proof from hook to bundle; each method is one stage.
class Proof {
 public:
  Proof(const Task& task, oci::Store& store, const ProofMemory& memory, const Subject& capsule, Place& place)
      : m_task(task),
        m_store(store),
        m_capsule(capsule),
        m_place(place),
        m_record_text(oci::read_text(store, task.run_record, proof::max_run_record_bytes)),
        m_record(proof::read_run_record(m_record_text, capsule.unpacked.facts)),
        m_hash(proof::proof_hash(capsule.unpacked.facts.capsule_digest, capsule.unpacked.facts.require_claims(),
                                 task.run_record)),
        m_memory(memory),
        m_service(task) {}

  Proven run() {
    recall();
    if (m_state.evidence.is_null()) {
      proof::require_all_hold(proof::refuted_claims(facts()));
      if (!m_state.replay) m_state.replay = second_run();
      ask_hook();
    }
    check();
    const auto status = settle();
    return publish(status);
  }

 private:
  [[nodiscard]] proof::Facts facts() const {
    return {m_capsule.unpacked.facts.claims, m_capsule.unpacked.facts.files, m_record};
  }

  /// Where an earlier try was when it ended, if the service still knows what it was told.
  void recall() {
    if (const auto found = m_memory.recall(name_of_service(m_task))) m_state = *found;
    m_state.service = name_of_service(m_task);
    if (!m_task.utid.empty() && m_state.utid != m_task.utid) m_state = {m_state.service, m_task.utid, {}, {}, {}};
    if (m_state.utid.empty()) {
      m_state.utid = m_service->new_utid();
      m_memory.remember(m_state);
    }
    m_service->use_utid(m_state.utid);
    if (m_state.proof_id.empty()) return;
    const auto known = m_service->find(m_state.proof_id);
    if (!known || (!known->utid.empty() && known->utid != m_state.utid)) {
      log::info("the proof service has forgotten the proof that was begun, it is begun anew",
                {{"proof_id", m_state.proof_id}});
      m_state.proof_id.clear();
      m_state.evidence = {};
    }
  }

  /// Where claims need it; what the bundle says of it.
  [[nodiscard]] json::Value second_run() const {
    const auto not_done = [](std::string_view reason) { return json::Object{{"done", false}, {"reason", reason}}; };
    if (!replay::needs_second_run(m_capsule.unpacked.facts)) return not_done("no claim is about samples");
    if (!deploy::is_deterministic(m_capsule.unpacked.capsule.manifest()))
      return not_done("the capsule says that it is not deterministic");
    const auto output = replay::run_again({m_capsule.unpacked, m_record, m_task.hook_time, m_place.fresh_run()});
    return json::Object{{"done", true}, {"output_digest", output.text()}};
  }

  void ask_hook() {
    HookWish wish{m_record_text, m_state.utid, m_hash, m_capsule.unpacked.facts.require_claims(), {}};
    // Asked with our hash it may not be found again: the service stores another one once it was told to verify.
    if (!m_state.proof_id.empty())
      wish.known = proof::ServiceProof{m_state.proof_id, "queued", m_hash.text(), m_state.utid};
    const auto answer = m_place.ask_hook(wish, *m_service);
    if (!wish.known || answer.proof_id != wish.known->proof_id) {
      if (!proof::is_proof_id(answer.proof_id)) require_ours({}, answer.proof_id, m_hash, m_state.utid);
      require_ours(m_service->find(answer.proof_id), answer.proof_id, m_hash, m_state.utid);
    }
    m_state.proof_id = answer.proof_id;
    m_state.evidence = answer.evidence;
  }

  /// The evidence is checked here, whoever gave it, and kept before the service is told of it.
  void check() {
    m_results = proof::check_evidence(facts(), m_state.evidence);
    proof::require_all_hold(m_results);
    m_memory.remember(m_state);
  }

  /// Leads the service to a final state; what an earlier try did already is not done again.
  std::string settle() {
    auto known = m_service->find(m_state.proof_id);
    if (known && known->is_final()) return known->status;
    m_service->put_evidence(m_state.proof_id, m_state.evidence);
    m_service->verify(m_state.proof_id, m_hash);
    return m_service->wait_until_final(m_state.proof_id, m_task.service_time).status;
  }

  Proven publish(const std::string& status) {
    proof::Bundle bundle{
        .capsule = m_capsule.unpacked.facts.capsule_digest,
        .version_index = m_capsule.published.index.digest,
        .run_record = m_task.run_record,
        .proof_id = m_state.proof_id,
        .proof_hash = m_hash,
        .utid = m_state.utid,
        .policy = m_capsule.unpacked.facts.policy,
        .evidence = m_state.evidence,
        .service = json::Object{{"name", m_state.service}, {"status", status}},
        .replay = m_state.replay.value_or(json::Object{{"done", false}, {"reason", "not known any more"}})};
    // The same check that everybody else will make.
    const auto results =
        proof::check_bundle(bundle, m_capsule.unpacked.facts, m_capsule.published.index.digest, m_record_text);
    const auto text = proof::sign_bundle(bundle, m_task.signer);
    const auto digest = proof::publish_proof(m_store, m_capsule.published.index, m_record_text, text, bundle.proof_id);
    m_memory.forget();
    return {{digest, std::move(bundle), results, m_record_text, 1}, false};
  }

  const Task& m_task;
  oci::Store& m_store;
  const Subject& m_capsule;
  Place& m_place;
  std::string m_record_text;
  json::Value m_record;
  Digest m_hash;
  const ProofMemory& m_memory;
  Service m_service;
  Remembered m_state;
  std::vector<proof::ClaimResult> m_results;
};

/// Whether there is anything to prove; an error where the policy requires what the capsule cannot give.
bool is_provable(const Subject& capsule) {
  const bool claims = capsule.unpacked.facts.claims_digest.has_value() && !capsule.unpacked.facts.claims.claims.empty();
  if (claims && !capsule.hook.empty()) return true;
  if (!capsule.unpacked.facts.policy.required) return false;
  throw Error{
      ErrorKind::verification_failed,
      fmt::format("{} {} requires a proof, but has {}", capsule.unpacked.facts.name, capsule.unpacked.facts.version,
                  claims ? "no proof-hooks/generate_proof.py" : "no claims in proof-hooks/claims.json")};
}

/// With another call that proves the run: as long as we would take ourselves.
std::chrono::milliseconds patience_of(const Task& task) {
  return task.hook_time + task.service_time;
}

/// What the run went without: its replays do, too.
std::vector<std::string> waived_in(oci::Store& store, const Digest& run_record) {
  const auto text = oci::read_text(store, run_record, proof::max_run_record_bytes);
  const auto record = json::parse(text, "the run record", {.bytes = proof::max_run_record_bytes, .depth = 64});
  std::vector<std::string> out;
  for (const auto& one : json::array_at(record, "/waived"))
    if (const auto* word = one.if_string()) out.push_back(*word);
  return out;
}

std::unique_ptr<Place> open_place(const Task& task, const Subject& capsule, oci::Store& store) {
  if (!task.cluster) return std::make_unique<ThisMachinePlace>(capsule, task.hook_time);
  return std::make_unique<PodPlace>(
      *task.cluster, PodTask{capsule, task.reference, task.run_record, task.service, task.hook_time, patience_of(task),
                             waived_in(store, task.run_record)});
}

/// Before the hook searches for what nobody would believe.
void require_trusted_key(const Task& task, const proof::CapsuleFacts& facts) {
  attest::require_own_key(task.trust, attest::Role::proof, facts.name, task.signer.public_key());
}

/// The bundle of an earlier call.
std::optional<Proven> find_earlier(const Task& task, oci::Store& store, const oci::Descriptor& index) {
  if (!proof::has_bundles(store, index.digest, task.run_record)) return std::nullopt;
  const auto facts = proof::verify_published_capsule(store, index.digest, task.trust, &task.progress).facts;
  require_trusted_key(task, facts);
  const std::vector keys{task.signer.public_key()};
  auto found = proof::find_proof(store, index.digest, task.run_record, facts, keys, task.trust);
  if (!found) return std::nullopt;
  return Proven{std::move(*found), true};
}

/// What other pods know of this proof.
struct OnCluster {
  OnCluster(const ClusterChoice& choice, const Task& task)
      : client(kube::load({choice.kubeconfig, choice.context})),
        shared(client, choice.ns.empty() ? client.config().ns : choice.ns, task.reference.name, task.run_record) {}

  kube::Client client;
  cluster::SharedProof shared;
};

/// A call that was killed while it published may have attached its bundle to one of two.
void attach_again(oci::Store& store, const oci::Descriptor& index, const proof::CheckedProof& proof) {
  const auto text = oci::read_text(store, proof.digest, attest::max_bundle_bytes);
  proof::publish_proof(store, index, proof.run_record, text, proof.bundle.proof_id);
}

}  // namespace

std::optional<Proven> prove(const Task& task) {
  task.trust.check_revoked(task.run_record);
  const auto store = oci::open_store(task.reference.registry, task.reference.name);
  const auto index = image::find_index(*store, task.reference);
  ProofMemory memory{task.state / "proofs", index.digest, task.run_record, patience_of(task)};
  std::optional<OnCluster> on_cluster;
  if (task.cluster) memory.share(on_cluster.emplace(*task.cluster, task).shared);
  if (auto earlier = find_earlier(task, *store, index)) {
    if (memory.is_begun()) attach_again(*store, index, earlier->proof);
    memory.forget();
    const fs::TemporaryFolder sweep{task.state / "proofs"};  // removes what a killed call left unpacked
    return earlier;
  }
  const auto capsule = unpack(*store, index.digest, task);
  if (!is_provable(capsule)) return std::nullopt;
  require_trusted_key(task, capsule.unpacked.facts);
  const auto place = open_place(task, capsule, *store);
  if (task.cluster) {
    // Another call may have been at it elsewhere until we had our turn.
    if (auto earlier = find_earlier(task, *store, index)) return earlier;
  }
  return Proof{task, *store, memory, capsule, *place}.run();
}

}  // namespace generate_proof
