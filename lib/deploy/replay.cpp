#include "deploy/replay.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "json/cursor.hpp"

namespace capsule::deploy {

namespace {

constexpr auto failed = ErrorKind::verification_failed;

RunRequest request_of(const json::Cursor& record, const VerifiedCapsule& capsule) {
  static_cast<void>(record.at("parameters").object());
  return {.capsule_digest = capsule.capsule_digest(),
          .target = "replay",
          .parameters = record.at("parameters").value(),
          .seed = record.at("seed").uint64(),
          .budget = record.at("budget").uint64(),
          .ordinal = 1};
}

}  // namespace

bool is_deterministic(const Manifest& manifest) {
  const auto found = manifest.annotations.find(std::string{deterministic_annotation});
  return found == manifest.annotations.end() || found->second != "false";
}

Replayed replay(const FreshRun& run, const VerifiedCapsule& capsule, const json::Value& record) {
  if (!is_deterministic(capsule.manifest())) {
    throw Error{ErrorKind::unmet_requirement,
                fmt::format("{} cannot be run again to compare: its manifest says {}: false", capsule.manifest().name,
                            deterministic_annotation)};
  }
  const json::Cursor top{record, "the run record", failed};
  auto recorded = output_digest(top.at("result").value());
  if (const auto stated = top.optional("output_digest"); stated && stated->string() != recorded.text())
    stated->fail("not the digest of the record's own result");
  auto result = run(request_of(top, capsule));
  auto output = output_digest(result);
  return {std::move(result), std::move(output), std::move(recorded)};
}

}  // namespace capsule::deploy
