#include "hook.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/stream.hpp"
#include "deploy/sandbox.hpp"
#include "fs/atomic_file.hpp"
#include "fs/beneath.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "log/log.hpp"
#include "proof/bundle.hpp"
#include "proof/evidence.hpp"

namespace generate_proof {

using namespace capsule;

namespace {

constexpr std::size_t max_answer_bytes = proof::max_evidence_bytes;

/// A file that the hook wrote: it may be a link, a FIFO, endless.
std::string read_answer(const fs::Path& folder) {
  return fs::read_beneath(folder, fs::SafePath::parse("proof.json"), max_answer_bytes);
}

HookAnswer parse_answer(std::string_view text) {
  const auto value = json::parse(text, "proof.json", {max_answer_bytes, proof::max_evidence_depth});
  const json::Cursor top{value, "proof.json"};
  static_cast<void>(top.at("evidence").array());
  return {top.at("proof_id").string(), top.at("evidence").value()};
}

/// Hooks put `/v1/…` behind it, some without a thought of a '/' at its end.
std::string base_of(const Url& service) {
  auto out = service.text();
  while (out.ends_with('/')) out.pop_back();
  return out;
}

process::Command command_for(const HookCall& call, const fs::Path& out) {
  const auto record = call.folder / "run-record.json";
  fs::write_file(record, call.run_record);
  auto command = deploy::capsule_command({.root = call.root,
                                          .file = call.file,
                                          .data = call.folder / "data",
                                          .readable = {record.string()},
                                          .writable = {out.string()},
                                          .memory = call.memory,
                                          .way_out = call.service.port()});
  command.environment.insert({{"CAPSULE_RUN_RECORD", record.string()},
                              {"CAPSULE_OUT", out.string()},
                              {"PROOF_SERVICE_URL", base_of(call.service)},
                              {"CAPSULE_UTID", call.utid},
                              {"CAPSULE_PROOF_HASH", call.proof_hash.text()},
                              {"CAPSULE_CLAIMS_DIGEST", call.claims_digest.text()}});
  command.time_limit = call.time_limit;
  command.output_limit = std::size_t{1} << 20U;
  command.on_error_line = [](std::string_view line) { log::info("hook: " + printable(line, 400)); };
  return command;
}

}  // namespace

HookAnswer run_hook(const HookCall& call) {
  const auto out = call.folder / "out";
  deploy::make_writable_folder(out);
  const auto result = process::run(command_for(call, out));
  for (const auto& part : result.missing)
    log::warning("the proof hook ran without a part of its confinement", {{"part", part}});
  if (!result.succeeded()) {
    const auto kind = result.end == process::End::timed_out ? ErrorKind::timed_out : ErrorKind::capsule_failed;
    throw Error{kind,
                fmt::format("the capsule's proof hook {} failed, {}", call.file, deploy::describe_failure(result))};
  }
  try {
    return parse_answer(read_answer(out));
  } catch (const Error& error) {
    throw Error{ErrorKind::capsule_failed,
                fmt::format("the capsule's proof hook {} left no good proof.json: {}", call.file, error.message())};
  }
}

}  // namespace generate_proof
