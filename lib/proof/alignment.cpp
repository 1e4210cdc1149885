#include "proof/alignment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>
#include <variant>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "proof/sample_copy.hpp"
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

Samples reference_of(const Claim& claim, const Facts& facts) {
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

struct Comparison {
  double d = 0;
  KolmogorovSmirnov ks;
};

/// What is computed of both sides, or why they cannot be compared.
std::variant<Comparison, std::string> compare(const Samples& run, const Samples& reference) {
  if (is_copy(run.values, reference.values))
    return "the run's samples, or most of them, are a copy of the reference samples";
  const auto d = cohens_d(run.values, reference.values);
  if (!d || !std::isfinite(*d)) return "the samples do not vary, or leave the range of double: there is no effect size";
  return Comparison{*d, kolmogorov_smirnov(run.values, reference.values)};
}

ClaimResult verdict(const Claim& claim, const Comparison& found) {
  const bool aligned = std::abs(found.d) <= claim.max_effect_size && found.ks.p >= claim.min_p;
  return {claim.name, std::string{sim_alignment}, aligned ? ClaimResult::Verdict::holds : ClaimResult::Verdict::fails,
          fmt::format("effect size {:.4g} (at most {:.4g}), p {:.4g} (at least {:.4g})", std::abs(found.d),
                      claim.max_effect_size, found.ks.p, claim.min_p)};
}

}  // namespace

struct Alignments::Sides {
  const Samples& run;
  const Samples& reference;
};

struct Alignments::Pair {
  std::variant<Comparison, std::string> compared;  ///< or why they cannot be
  std::optional<BootstrapInterval> interval;
};

/// Each side is read once, each pair of sides (by their digests) is computed once.
struct Alignments::Memory {
  std::map<std::string, Samples> run;
  std::map<std::pair<std::string, std::string>, Samples> reference;
  std::map<std::pair<Digest, Digest>, Pair> pairs;
  std::uint64_t left = max_alignment_cost;
};

Alignments::Alignments(const Facts& facts) : m_facts(facts), m_memory(std::make_unique<Memory>()) {}
Alignments::~Alignments() = default;

void Alignments::charge(std::uint64_t cost) {
  if (cost > m_memory->left) {
    throw Error{
        ErrorKind::invalid_input,
        fmt::format("the sim_alignment claims together take more than {} steps: make fewer of them, or of fewer "
                    "samples",
                    max_alignment_cost)};
  }
  m_memory->left -= cost;
}

Alignments::Sides Alignments::sides_of(const Claim& claim) {
  auto& run = m_memory->run;
  auto left = run.find(claim.samples);
  if (left == run.end()) {
    left =
        run.emplace(claim.samples, read_samples(m_facts.record.at_pointer(claim.samples), "run record" + claim.samples))
            .first;
  }
  auto& reference = m_memory->reference;
  const auto key = std::pair{claim.reference, claim.reference_pointer};
  auto right = reference.find(key);
  if (right == reference.end()) right = reference.emplace(key, reference_of(claim, m_facts)).first;
  return {left->second, right->second};
}

Alignments::Pair& Alignments::pair_of(const Sides& sides) {
  const auto key = std::pair{sides.run.digest, sides.reference.digest};
  auto found = m_memory->pairs.find(key);
  if (found == m_memory->pairs.end()) {
    charge(sides.run.values.size() * sides.reference.values.size());
    found = m_memory->pairs.emplace(key, Pair{compare(sides.run, sides.reference), {}}).first;
  }
  return found->second;
}

ClaimResult Alignments::check(const json::Cursor& piece) {
  require_form(piece);
  const auto& name = piece.at("claim").string();
  const auto* claim = m_facts.claims.find(name);
  if (claim == nullptr || claim->type != ClaimType::sim_alignment)
    piece.at("claim").fail(fmt::format("'{}' is no sim_alignment claim of this capsule", printable(name, 64)));
  const auto sides = sides_of(*claim);
  require_digest(piece.at("samples_digest"), sides.run.digest);
  require_digest(piece.at("reference_digest"), sides.reference.digest);
  const auto bootstrap = piece.at("bootstrap");
  const auto seed = require_bootstrap_setup(bootstrap, m_facts.record);
  auto& pair = pair_of(sides);
  if (const auto* reason = std::get_if<std::string>(&pair.compared)) return failing(*claim, *reason);
  const auto& found = std::get<Comparison>(pair.compared);
  if (!pair.interval) {
    charge(bootstrap_draws * (sides.run.values.size() + sides.reference.values.size()));
    pair.interval = bootstrap_mean_difference(sides.run.values, sides.reference.values, seed, bootstrap_draws);
  }
  require_near(piece.at("ks").at("d"), found.ks.d);
  require_near(piece.at("ks").at("p"), found.ks.p);
  require_near(piece.at("cohens_d"), found.d);
  require_near(bootstrap.at("low"), pair.interval->low);
  require_near(bootstrap.at("high"), pair.interval->high);
  return verdict(*claim, found);
}

ClaimResult Alignments::decide(const Claim& claim) {
  const auto& compared = pair_of(sides_of(claim)).compared;
  if (const auto* reason = std::get_if<std::string>(&compared)) return failing(claim, *reason);
  return verdict(claim, std::get<Comparison>(compared));
}

ClaimResult check_alignment_form(const json::Cursor& piece) {
  require_form(piece);
  return {piece.at("claim").string(), std::string{sim_alignment}, ClaimResult::Verdict::not_checked,
          "needs the capsule and the run record"};
}

}  // namespace capsule::proof
