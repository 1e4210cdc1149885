#include "proof/alignment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <variant>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "proof/statistics.hpp"

namespace capsule::proof {

namespace {

constexpr auto failed = ErrorKind::verification_failed;

struct Samples {
  std::vector<double> values;
  Digest digest;
};

Samples read_samples(const json::Value* found, const std::string& what) {
  if (found == nullptr) throw Error{failed, fmt::format("no samples at {}", what)};
  const json::Cursor cursor{*found, what, failed};
  std::vector<double> values;
  if (cursor.array().size() < min_samples || cursor.array().size() > max_samples)
    cursor.fail(fmt::format("{} samples; {} to {} are accepted", cursor.array().size(), min_samples, max_samples));
  for (const auto& element : cursor.elements()) values.push_back(element.number());
  return {std::move(values), crypto::sha256(json::canonical(*found))};
}

Samples read_reference(const Claim& claim, const Facts& facts) {
  const auto file = facts.files.find(claim.reference);
  if (file == facts.files.end())
    throw Error{failed, fmt::format("claim '{}': the capsule has no file {}", claim.name, claim.reference)};
  const auto document = json::parse(file->second, claim.reference, {.bytes = max_reference_bytes, .depth = 32});
  return read_samples(document.at_pointer(claim.reference_pointer),
                      fmt::format("{}{}", claim.reference, claim.reference_pointer));
}

bool near(double ours, double theirs) {
  return std::abs(ours - theirs) <= alignment_tolerance * std::max(1.0, std::abs(ours));
}

void require_near(const json::Cursor& stated, double ours) {
  if (!near(ours, stated.number())) stated.fail(fmt::format("{} is stated, {} was found", stated.number(), ours));
}

void require_digest(const json::Cursor& stated, const Digest& ours) {
  if (stated.string() != ours.text()) stated.fail(fmt::format("not the samples that were found ({})", ours.text()));
}

void require_form(const json::Cursor& piece) {
  piece.allow_only({"type", "claim", "samples_digest", "reference_digest", "ks", "cohens_d", "bootstrap"});
  static_cast<void>(piece.at("claim").string());
  static_cast<void>(piece.at("samples_digest").string());
  static_cast<void>(piece.at("reference_digest").string());
  piece.at("ks").allow_only({"d", "p"});
  static_cast<void>(piece.at("ks").at("d").number() + piece.at("ks").at("p").number());
  static_cast<void>(piece.at("cohens_d").number());
  const auto bootstrap = piece.at("bootstrap");
  bootstrap.allow_only({"low", "high", "draws", "seed"});
  static_cast<void>(bootstrap.at("low").number() + bootstrap.at("high").number());
  static_cast<void>(bootstrap.at("draws").uint64() + bootstrap.at("seed").uint64());
}

/// Independent draws are never the same numbers: whoever shows the reference as its own samples has not simulated.
bool is_copy(const Samples& run, const Samples& reference) {
  auto left = run.values;
  auto right = reference.values;
  std::sort(left.begin(), left.end());
  std::sort(right.begin(), right.end());
  return left == right;
}

std::uint64_t require_bootstrap_setup(const json::Cursor& bootstrap, const json::Value& record) {
  const auto* seed = record.at_pointer("/seed");
  if (seed == nullptr) throw Error{failed, "the run record has no /seed"};
  const auto recorded = json::Cursor{*seed, "the run record's seed", failed}.uint64();
  if (bootstrap.at("seed").uint64() != recorded) bootstrap.at("seed").fail("not the seed of the run record");
  if (bootstrap.at("draws").uint64() != bootstrap_draws)
    bootstrap.at("draws").fail(fmt::format("{} draws are asked for", bootstrap_draws));
  return recorded;
}

ClaimResult failing(const Claim& claim, std::string reason) {
  return {claim.name, std::string{sim_alignment}, ClaimResult::Verdict::fails, std::move(reason)};
}

/// What is computed of both sides; nothing, with the reason, where they cannot be compared.
struct Comparison {
  double d = 0;
  KolmogorovSmirnov ks;
};
std::variant<Comparison, ClaimResult> compare(const Claim& claim, const Samples& run, const Samples& reference) {
  if (is_copy(run, reference)) return failing(claim, "the run's samples are a copy of the reference samples");
  const auto d = cohens_d(run.values, reference.values);
  if (!d || !std::isfinite(*d))
    return failing(claim, "the samples do not vary, or leave the range of double: there is no effect size");
  return Comparison{*d, kolmogorov_smirnov(run.values, reference.values)};
}

ClaimResult verdict(const Claim& claim, const Comparison& found) {
  const bool aligned = std::abs(found.d) <= claim.max_effect_size && found.ks.p >= claim.min_p;
  return {claim.name, std::string{sim_alignment}, aligned ? ClaimResult::Verdict::holds : ClaimResult::Verdict::fails,
          fmt::format("effect size {:.4g} (at most {:.4g}), p {:.4g} (at least {:.4g})", std::abs(found.d),
                      claim.max_effect_size, found.ks.p, claim.min_p)};
}

Samples run_samples(const Claim& claim, const Facts& facts) {
  return read_samples(facts.record.at_pointer(claim.samples), "run record" + claim.samples);
}

}  // namespace

ClaimResult check_alignment(const Facts& facts, const json::Cursor& piece) {
  require_form(piece);
  const auto& name = piece.at("claim").string();
  const auto* claim = facts.claims.find(name);
  if (claim == nullptr || claim->type != ClaimType::sim_alignment)
    piece.at("claim").fail(fmt::format("'{}' is no sim_alignment claim of this capsule", printable(name, 64)));
  const auto run = run_samples(*claim, facts);
  const auto reference = read_reference(*claim, facts);
  require_digest(piece.at("samples_digest"), run.digest);
  require_digest(piece.at("reference_digest"), reference.digest);
  const auto bootstrap = piece.at("bootstrap");
  const auto seed = require_bootstrap_setup(bootstrap, facts.record);
  const auto compared = compare(*claim, run, reference);
  if (const auto* fails = std::get_if<ClaimResult>(&compared)) return *fails;
  const auto& found = std::get<Comparison>(compared);
  const auto interval = bootstrap_mean_difference(run.values, reference.values, seed, bootstrap_draws);
  require_near(piece.at("ks").at("d"), found.ks.d);
  require_near(piece.at("ks").at("p"), found.ks.p);
  require_near(piece.at("cohens_d"), found.d);
  require_near(bootstrap.at("low"), interval.low);
  require_near(bootstrap.at("high"), interval.high);
  return verdict(*claim, found);
}

ClaimResult decide_alignment(const Facts& facts, const Claim& claim) {
  const auto compared = compare(claim, run_samples(claim, facts), read_reference(claim, facts));
  if (const auto* fails = std::get_if<ClaimResult>(&compared)) return *fails;
  return verdict(claim, std::get<Comparison>(compared));
}

ClaimResult check_alignment_form(const json::Cursor& piece) {
  require_form(piece);
  return {piece.at("claim").string(), std::string{sim_alignment}, ClaimResult::Verdict::not_checked,
          "needs the capsule and the run record"};
}

}  // namespace capsule::proof
