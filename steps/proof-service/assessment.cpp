#include "assessment.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "proof/checker.hpp"

namespace proof_service {

using namespace capsule;
using proof::ClaimResult;

namespace {

std::string_view name_of(ClaimResult::Verdict verdict) noexcept {
  switch (verdict) {
    case ClaimResult::Verdict::holds:
      return "holds";
    case ClaimResult::Verdict::fails:
      return "fails";
    case ClaimResult::Verdict::not_checked:
      return "not_checked";
  }
  return "fails";
}

std::string type_of(const json::Value& piece) {
  const auto* type = piece.at_pointer("/type");
  const auto* text = type == nullptr ? nullptr : type->if_string();
  return text == nullptr ? std::string{} : *text;
}

/// At least one result: a piece that claims nothing proves nothing.
std::vector<ClaimResult> check(const json::Value& piece, std::uint64_t& cost_left) {
  const auto type = type_of(piece);
  try {
    auto results = proof::check_alone(piece, cost_left);
    if (results.empty()) return {{"", type, ClaimResult::Verdict::fails, "it claims nothing"}};
    return results;
  } catch (const Error& error) {
    return {{"", type, ClaimResult::Verdict::fails, error.message()}};
  }
}

std::size_t count(const std::vector<ClaimResult>& results, ClaimResult::Verdict verdict) {
  return static_cast<std::size_t>(std::count_if(results.begin(), results.end(),
                                                [&](const ClaimResult& result) { return result.verdict == verdict; }));
}

std::string explain(const Assessment& assessment, const std::string& missing) {
  const auto& results = assessment.results;
  auto text = fmt::format("{} claims hold, {} fail", count(results, ClaimResult::Verdict::holds),
                          count(results, ClaimResult::Verdict::fails));
  const auto unchecked = count(results, ClaimResult::Verdict::not_checked);
  if (unchecked > 0)
    text +=
        fmt::format(", {} cannot be checked here: their samples are with the capsule and its run record", unchecked);
  if (!missing.empty()) text += fmt::format("; evidence of type {} is missing", printable(missing));
  return text;
}

}  // namespace

std::optional<double> Assessment::score() const {
  const auto good = static_cast<double>(count(results, ClaimResult::Verdict::holds));
  const auto bad = static_cast<double>(count(results, ClaimResult::Verdict::fails));
  if (good + bad == 0) return std::nullopt;
  return good / (good + bad);
}

json::Array Assessment::to_json() const {
  json::Array list;
  for (const auto& result : results) {
    list.push_back(json::Object{{"claim", result.claim},
                                {"type", result.type},
                                {"verdict", name_of(result.verdict)},
                                {"detail", result.detail}});
  }
  return list;
}

Assessment assess(const json::Array& evidence, const std::vector<std::string>& wanted_types) {
  Assessment assessment;
  std::vector<std::string> types;
  auto cost_left = proof::max_certificate_cost;
  for (const auto& piece : evidence) {
    types.push_back(type_of(piece));
    const auto results = check(piece, cost_left);
    assessment.results.insert(assessment.results.end(), results.begin(), results.end());
  }
  std::string missing;
  for (const auto& type : wanted_types) {
    if (std::find(types.begin(), types.end(), type) == types.end()) missing = type;
  }
  assessment.complete = missing.empty() && !evidence.empty();
  assessment.held = count(assessment.results, ClaimResult::Verdict::holds) > 0;
  assessment.failed = count(assessment.results, ClaimResult::Verdict::fails) > 0;
  assessment.explanation = explain(assessment, missing);
  return assessment;
}

}  // namespace proof_service
