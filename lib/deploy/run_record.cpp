#include "deploy/run_record.hpp"

#include <fmt/format.h>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "oci/media_types.hpp"

namespace capsule::deploy {

namespace {

constexpr std::string_view run_id_annotation = "ai.industriverse.capsule.run-id";

json::Array strings(const std::vector<std::string>& list) {
  json::Array out;
  for (const auto& text : list) out.emplace_back(text);
  return out;
}

/// A price stays the decimal text that the manifest has; the quantity is one, so the amount is the price.
json::Value billing(const Manifest& manifest) {
  if (!manifest.billing) return {};
  const auto& price = manifest.billing->price;  // text: a JSON number would become a binary float
  return json::Object{{"unit", manifest.billing->unit}, {"quantity", 1}, {"price", price}, {"amount", price}};
}

std::string run_id_of(const std::string& record) {
  const auto document = json::parse(record, "a run record", {.bytes = max_run_record_bytes, .depth = 64});
  return json::Cursor{document, "a run record"}.at("run_id").string();
}

}  // namespace

std::string RunRequest::run_id() const {
  const json::Object key{{"capsule", capsule_digest.text()},
                         {"target", target},
                         {"parameters", parameters},
                         {"seed", seed},
                         {"budget", budget},
                         {"ordinal", ordinal}};
  return std::string{crypto::sha256(json::canonical(key)).hex().substr(0, 16)};
}

json::Value RunRequest::input() const {
  return json::Object{{"parameters", parameters}, {"seed", seed}, {"budget", budget}};
}

Digest output_digest(const json::Value& result) {
  auto stripped = result;
  if (auto* object = stripped.if_object()) object->erase("measured");
  return crypto::sha256(json::canonical(stripped));
}

std::string run_record(const Manifest& manifest, const RunRequest& request, const RunFacts& facts,
                       const RunPlace& place) {
  const auto& utid = place.identity.utid;
  json::Object record{
      {"capsule",
       json::Object{{"name", manifest.name}, {"version", manifest.version}, {"digest", request.capsule_digest.text()}}},
      {"run_id", request.run_id()},
      {"target", request.target},
      {"node", json::Object{{"name", place.node_name},
                            {"utid", utid.empty() ? json::Value{} : json::Value{utid}},
                            {"binding", name_of(place.identity.binding)},
                            {"attested", false},
                            {"gpu", strings(place.gpus)}}},
      {"waived", strings(place.waived)},
      {"parameters", request.parameters},
      {"seed", request.seed},
      {"budget", request.budget},
      {"ordinal", request.ordinal},
      {"started_at", format_time(facts.started_at)},
      {"finished_at", format_time(facts.finished_at)},
      {"duration_ms", static_cast<std::int64_t>((facts.finished_at - facts.started_at).count())},
      {"result_ms", facts.result_ms},
      {"exit_code", facts.exit_code},
      {"result", facts.result},
      {"usage", json::Object{{"cpu_ms", facts.cpu_ms},
                             {"max_rss_bytes", facts.max_rss_bytes},
                             {"energy_joules", facts.energy_joules},
                             {"energy_estimated", facts.energy_estimated}}},
      {"start", json::Object{{"mode", facts.start.mode == RunStart::Mode::warm ? "warm" : "cold"},
                             {"reason", facts.start.reason}}},
      {"confinement", facts.confinement},
      {"log_digest", facts.log_digest.text()},
      {"input_digest", crypto::sha256(json::canonical(request.input())).text()},
      {"output_digest", output_digest(facts.result).text()}};
  if (const auto bill = billing(manifest); !bill.is_null()) record.set("billing", bill);
  auto text = json::canonical(record);
  if (text.size() > max_run_record_bytes) {
    throw Error{
        ErrorKind::capsule_failed,
        fmt::format("the result makes a run record of {}, at most {} are taken: give large data as a file's digest",
                    human_size(text.size()), human_size(max_run_record_bytes))};
  }
  return text;
}

Digest attach_run_record(oci::Store& store, const oci::Descriptor& version_index, const std::string& record) {
  const std::string type{oci::media_type::run_record};
  const auto run_id = run_id_of(record);
  oci::attach(store, version_index, {type, type, record, {{std::string{run_id_annotation}, run_id}}});
  return crypto::sha256(record);
}

std::optional<std::string> find_run_record(oci::Store& store, const Digest& version_index, const std::string& run_id) {
  for (const auto& referrer : store.referrers(version_index, oci::media_type::run_record)) {
    const auto named = referrer.annotations.find(std::string{run_id_annotation});
    if (named != referrer.annotations.end() && named->second != run_id) continue;
    auto record = oci::read_attached(store, referrer, oci::media_type::run_record, max_run_record_bytes);
    if (run_id_of(record.content) == run_id) return std::move(record.content);
  }
  return std::nullopt;
}

bool is_run_record(oci::Store& store, const Digest& record, const std::string& run_id) {
  try {
    return run_id_of(oci::read_text(store, record, max_run_record_bytes)) == run_id;
  } catch (const Error& error) {
    if (retry_helps(error.kind())) throw;
    return false;  // not there, or some other blob
  }
}

}  // namespace capsule::deploy
