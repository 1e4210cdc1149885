#include "proof/evidence.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "json/cursor.hpp"
#include "json/write.hpp"
#include "proof/alignment.hpp"
#include "proof/checker.hpp"

namespace capsule::proof {

namespace {

using Verdict = ClaimResult::Verdict;
constexpr auto failed = ErrorKind::verification_failed;

[[noreturn]] void refuse(std::string_view reason) {
  throw Error{failed, fmt::format("evidence: {}", reason)};
}

ClaimResult result_of(const Claim& claim, std::string_view type, const Decision& decision) {
  return {claim.name, std::string{type}, decision.holds ? Verdict::holds : Verdict::fails, decision.reason};
}

/// The certificates of a mathematical proof by the claim's name.
std::map<std::string, std::string> read_certificates(const json::Cursor& cursor) {
  std::map<std::string, std::string> trees;
  for (const auto& certificate : cursor.elements()) {
    certificate.allow_only({"claim", "type", "tree"});
    const auto& type = certificate.at("type").string();
    if (type != "bisection") certificate.fail(fmt::format("unknown certificate type '{}'", printable(type, 64)));
    const auto& claim = certificate.at("claim").string();
    if (!trees.emplace(claim, certificate.at("tree").string()).second)
      certificate.fail(fmt::format("a second certificate for '{}'", printable(claim, 64)));
  }
  return trees;
}

/// Decides each claim; the certificates must be those of the forall claims, no more and no less.
std::vector<ClaimResult> decide(const Claims& claims, std::map<std::string, std::string> trees,
                                std::uint64_t& cost_left) {
  std::vector<ClaimResult> results;
  for (const auto& claim : claims.claims) {
    const auto program = compile(claim, claims, nullptr);
    if (claim.type == ClaimType::compare) {
      results.push_back(result_of(claim, mathematical_proof, decide_compare(program, claim.relation, claim.tolerance)));
      continue;
    }
    const auto tree = trees.extract(claim.name);
    if (tree.empty()) refuse(fmt::format("no certificate for the claim '{}'", claim.name));
    results.push_back(
        result_of(claim, mathematical_proof,
                  check_bisection(program, claim.relation, claims.variables, tree.mapped(), {.cost = cost_left})));
    cost_left -= std::min(cost_left, tree.mapped().size() * program.cost());
  }
  if (!trees.empty())
    refuse(fmt::format("a certificate for '{}', which is no forall claim", printable(trees.begin()->first, 64)));
  return results;
}

/// A mathematical proof, checked against the claims that stand in it.
std::vector<ClaimResult> check_mathematical_alone(const json::Cursor& piece, std::uint64_t& cost_left) {
  piece.allow_only({"type", "variables", "definitions", "claims", "certificates"});
  const auto claims =
      claims_of_evidence(piece.at("variables").value(), piece.at("definitions").value(), piece.at("claims").value());
  auto trees = read_certificates(piece.at("certificates"));
  try {
    return decide(claims, std::move(trees), cost_left);
  } catch (const Error& error) {
    throw Error{failed, error.message()};
  }
}

bool same(const json::Value& left, const json::Value& right) {
  return json::canonical(left) == json::canonical(right);
}

/// The claims of the piece must be the capsule's with this run's numbers: else it proves something, but not this.
void require_rebuilt(const Facts& facts, const json::Cursor& piece) {
  if (!same(piece.at("variables").value(), facts.claims.variables_document))
    piece.at("variables").fail("not the variables of this capsule's claims");
  if (!same(piece.at("definitions").value(), with_record_values(facts.claims.definitions_document, facts.record)))
    piece.at("definitions").fail("not the definitions of this capsule's claims");
  const auto stated = piece.at("claims").elements();
  std::size_t next = 0;
  for (const auto& claim : facts.claims.claims) {
    if (claim.type == ClaimType::sim_alignment) continue;
    if (next == stated.size()) piece.at("claims").fail(fmt::format("the claim '{}' is missing", claim.name));
    if (!same(stated[next].value(), with_record_values(claim.document, facts.record)))
      stated[next].fail(fmt::format("not the claim '{}' of this capsule with the values of this run", claim.name));
    ++next;
  }
  if (next != stated.size()) stated[next].fail("a claim that the capsule does not make");
}

/// What all pieces of evidence share.
struct Shared {
  Alignments alignments;
  std::uint64_t cost_left = max_certificate_cost;
};

std::vector<ClaimResult> check_piece(const Facts& facts, const json::Cursor& piece, Shared& shared) {
  const auto& type = piece.at("type").string();
  if (type == mathematical_proof) {
    require_rebuilt(facts, piece);
    return check_mathematical_alone(piece, shared.cost_left);
  }
  if (type == sim_alignment) return {shared.alignments.check(piece)};
  piece.at("type").fail(fmt::format("unknown evidence type '{}'", printable(type, 64)));
}

}  // namespace

bool is_known_proof_type(std::string_view type) noexcept {
  return type == mathematical_proof || type == sim_alignment;
}

std::vector<ClaimResult> check_evidence(const Facts& facts, const json::Value& evidence) {
  std::map<std::string, ClaimResult> by_claim;
  Shared shared{Alignments{facts}};
  const json::Cursor top{evidence, "evidence", failed};
  top.require_exact_integers();
  for (const auto& piece : top.elements()) {
    for (auto& result : check_piece(facts, piece, shared)) {
      const auto name = result.claim;
      if (!by_claim.emplace(name, std::move(result)).second) piece.fail(fmt::format("'{}' is proven twice", name));
    }
  }
  std::vector<ClaimResult> results;
  for (const auto& claim : facts.claims.claims) {
    const auto found = by_claim.find(claim.name);
    if (found == by_claim.end()) refuse(fmt::format("nothing proves the claim '{}'", claim.name));
    results.push_back(found->second);
  }
  return results;
}

void require_all_hold(const std::vector<ClaimResult>& results) {
  std::string reasons;
  for (const auto& result : results) {
    if (result.verdict == Verdict::holds) continue;
    reasons += fmt::format("{}claim '{}' does not hold: {}", reasons.empty() ? "" : "; ", result.claim, result.detail);
  }
  if (!reasons.empty()) throw Error{failed, reasons};
}

std::vector<ClaimResult> check_alone(const json::Value& piece, std::uint64_t& cost_left) {
  const json::Cursor cursor{piece, "evidence", failed};
  cursor.require_exact_integers();
  const auto& type = cursor.at("type").string();
  if (type == mathematical_proof) return check_mathematical_alone(cursor, cost_left);
  if (type == sim_alignment) return {check_alignment_form(cursor)};
  cursor.at("type").fail(fmt::format("unknown evidence type '{}'", printable(type, 64)));
}

Digest evidence_digest(const json::Value& evidence) {
  return crypto::sha256(json::canonical(evidence));
}

Digest proof_hash(const Digest& capsule, const Digest& claims, const Digest& run_record) {
  return crypto::sha256(json::canonical(json::Object{
      {"capsule_digest", capsule.text()}, {"claims_digest", claims.text()}, {"run_record_digest", run_record.text()}}));
}

}  // namespace capsule::proof
