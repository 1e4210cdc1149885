#include "deploy/recorded_runs.hpp"

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "log/log.hpp"
#include "oci/media_types.hpp"

namespace capsule::deploy {

namespace {

/// As run_record() writes it. Error invalid_input where it is none, or its run_id is not that of what it says.
RunOnRecord read_run(const std::string& text) {
  const auto document = json::parse(text, "a run record", {.bytes = max_run_record_bytes, .depth = 64});
  const json::Cursor record{document, "a run record"};
  RunOnRecord run{{Digest::parse(record.at("capsule").at("digest").string()), record.at("target").string(),
                   record.at("parameters").value(), record.at("seed").uint64(), record.at("budget").uint64(),
                   record.at("ordinal").uint64()},
                  crypto::sha256(text),
                  parse_time(record.at("finished_at").string())};
  if (run.request.run_id() != record.at("run_id").string())
    record.at("run_id").fail("is not that of what the record says");
  return run;
}

bool answers(const RunRequest& run, const RunWish& wish) {
  return run.capsule_digest == wish.capsule_digest && run.target == wish.target && run.budget == wish.budget &&
         (!wish.seed || *wish.seed == run.seed) && json::canonical(run.parameters) == json::canonical(wish.parameters);
}

}  // namespace

std::vector<RunOnRecord> recorded_runs(oci::Store& store, const Digest& version_index, const RunWish& wish) {
  std::vector<RunOnRecord> out;
  for (const auto& referrer : store.referrers(version_index, oci::media_type::run_record)) {
    try {
      auto run =
          read_run(oci::read_attached(store, referrer, oci::media_type::run_record, max_run_record_bytes).content);
      if (answers(run.request, wish)) out.push_back(std::move(run));
    } catch (const Error& error) {
      if (retry_helps(error.kind())) throw;
      log::debug("passed over: " + error.message());
    }
  }
  return out;
}

}  // namespace capsule::deploy
