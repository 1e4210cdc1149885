#include "deploy/proof_hook.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "deploy/sandbox.hpp"
#include "fs/atomic_file.hpp"
#include "fs/beneath.hpp"
#include "log/log.hpp"

namespace capsule::deploy {

namespace {

/// Hooks put `/v1/…` behind it, some without a thought of a '/' at its end.
std::string base_of(const Url& service) {
  auto out = service.text();
  while (out.ends_with('/')) out.pop_back();
  return out;
}

std::optional<process::Volume> volume_of(const HookCall& call) {
  if (!call.folder_size) return std::nullopt;
  return process::Volume{call.folder.string(), *call.folder_size};
}

process::Command command_for(const HookCall& call, const fs::Path& out) {
  const auto record = call.folder / "run-record.json";
  fs::write_file(record, call.run_record);
  auto command = capsule_command({.root = call.root,
                                  .file = call.file,
                                  .data = call.folder / "data",
                                  .readable = {record.string()},
                                  .writable = {out.string()},
                                  .memory = call.memory,
                                  .volume = volume_of(call),
                                  .way_out = call.service.port(),
                                  .only_way_out = call.only_way_out});
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

/// A file that the hook wrote: it may be a link, a FIFO, endless.
std::string read_proof(const HookCall& call, const fs::Path& out) {
  try {
    return fs::read_beneath(out, fs::SafePath::parse("proof.json"), max_proof_bytes);
  } catch (const Error& error) {
    throw Error{ErrorKind::capsule_failed,
                fmt::format("the capsule's proof hook {} left no good proof.json: {}", call.file, error.message())};
  }
}

}  // namespace

HookEnd run_hook(const HookCall& call) {
  const auto out = call.folder / "out";
  make_writable_folder(out);
  auto result = process::run(command_for(call, out));
  if (!result.succeeded()) {
    const auto kind = result.end == process::End::timed_out ? ErrorKind::timed_out : ErrorKind::capsule_failed;
    throw Error{kind, fmt::format("the capsule's proof hook {} failed, {}", call.file, describe_failure(result))};
  }
  return {read_proof(call, out), std::move(result.error_output), std::move(result.missing)};
}

}  // namespace capsule::deploy
