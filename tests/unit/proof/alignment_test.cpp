#include "proof/alignment.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <string>

#include "core/error.hpp"
#include "json/write.hpp"
#include "proof/claims.hpp"

using namespace capsule;
using namespace capsule::proof;

namespace {

json::Array samples(double shift) {
  json::Array out;
  for (std::size_t i = 0; i < max_samples; ++i) out.emplace_back(static_cast<double>(i) + shift);
  return out;
}

Claim claim_on(std::size_t which) {
  Claim claim;
  claim.name = "like-the-reference";
  claim.type = ClaimType::sim_alignment;
  claim.samples = "/result/" + std::to_string(which);
  claim.reference = "reference.json";
  claim.reference_pointer = "/samples";
  claim.max_effect_size = 0.8;
  claim.min_p = 0.01;
  return claim;
}

}  // namespace

TEST_CASE("sim_alignment claims on the same samples cost once, all together no more than a limit") {
  constexpr std::size_t count = 41;  // pairs of 10⁸ steps
  json::Array sides;
  for (std::size_t i = 0; i < count; ++i) sides.emplace_back(samples(0.25 + static_cast<double>(i) / 1024));
  const json::Value record{json::Object{{"seed", 7}, {"result", std::move(sides)}}};
  const std::map<std::string, std::string> files{
      {"reference.json", json::compact(json::Object{{"samples", samples(0)}})}};
  const Claims claims;
  const Facts facts{claims, files, record};
  Alignments alignments{facts};
  for (int i = 0; i < 1000; ++i) CHECK(alignments.decide(claim_on(0)).verdict == ClaimResult::Verdict::holds);
  for (std::size_t i = 0; i + 1 < count; ++i) static_cast<void>(alignments.decide(claim_on(i)));
  try {
    static_cast<void>(alignments.decide(claim_on(count - 1)));
    FAIL("no limit");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::invalid_input);
    CHECK_THAT(error.message(), Catch::Contains("more than 4000000000 steps"));
  }
}
