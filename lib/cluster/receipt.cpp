#include "cluster/receipt.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "cluster/objects.hpp"
#include "crypto/hash.hpp"
#include "json/write.hpp"

namespace capsule::cluster {

namespace {

constexpr std::string_view absent = "-";
constexpr std::array<std::string_view, 4> of_a_proof{"utid", "proofHash", "proofScore", "anchors"};

enum Item : std::size_t { of_options, of_spec, of_object, of_deployment, of_trust, of_budget, items };
using Entries = std::array<std::string, items>;

std::string digest_of(const json::Value& value) {
  return std::string{crypto::sha256(json::canonical(value)).hex().substr(0, 16)};
}

json::Object* child(json::Object* object, std::string_view name) {
  auto* found = object == nullptr ? nullptr : object->find(name);
  return found == nullptr ? nullptr : found->if_object();
}

/// Less what register and the platform's operator say of a proof, which is no wish.
std::string digest_of_spec(const json::Value& object) {
  const auto* found = object.at_pointer("/spec");
  auto copy = found == nullptr ? json::Value{} : *found;
  if (auto* policy = child(copy.if_object(), "proofPolicy"))
    for (const auto name : of_a_proof) policy->erase(name);
  return digest_of(copy);
}

std::string digest_of_object(const json::Value& object) {
  const auto* found = applied_fields(object);
  auto copy = found == nullptr ? json::Value{json::Object{}} : *found;
  if (auto* policy = child(child(copy.if_object(), "f:spec"), "f:proofPolicy"))
    for (const auto name : of_a_proof) policy->erase(fmt::format("f:{}", name));
  return digest_of(copy);
}

std::string fields_or_absent(const json::Value* object) {
  return object == nullptr ? std::string{absent} : own_fields(*object);
}

Entries entries_of(const std::string& options_digest, const json::Value& object, const Parts& parts) {
  return {options_digest,
          digest_of_spec(object),
          digest_of_object(object),
          fields_or_absent(parts.deployment),
          fields_or_absent(parts.trust),
          fields_or_absent(parts.budget)};
}

/// Empty entries where it is none of ours.
Entries parse(std::string_view receipt) {
  Entries out;
  if (std::count(receipt.begin(), receipt.end(), ',') != static_cast<std::ptrdiff_t>(out.size()) - 1) return out;
  for (auto& entry : out) {
    entry = receipt.substr(0, receipt.find(','));
    receipt.remove_prefix(std::min(receipt.size(), entry.size() + 1));
  }
  return out;
}

}  // namespace

std::string receipt(const std::string& options_digest, const json::Value& object, const Parts& parts) {
  return fmt::format("{}", fmt::join(entries_of(options_digest, object, parts), ","));
}

std::string options_digest_in(std::string_view receipt) {
  return parse(receipt)[of_options];
}

std::string changed_since(std::string_view receipt, const std::string& options_digest, const json::Value& object,
                          const Parts& parts) {
  constexpr std::array<std::pair<Item, std::string_view>, items> reasons{
      {{of_object, "its ProofedDeployment was changed by somebody"},
       {of_deployment, "its Deployment was changed by somebody"},
       {of_trust, "its ConfigMap was changed by somebody"},
       {of_budget, "its PodDisruptionBudget was changed by somebody"},
       {of_spec, "the spec of its ProofedDeployment is another one than when it was deployed"},
       {of_options, "it was deployed with other options or images"}}};
  const auto noted = parse(receipt);
  if (noted[of_spec].empty()) return "it bears no receipt of this version's deploy";
  const auto now = entries_of(options_digest, object, parts);
  const auto* found = std::find_if(reasons.begin(), reasons.end(),
                                   [&](const auto& reason) { return noted[reason.first] != now[reason.first]; });
  return found == reasons.end() ? std::string{} : std::string{found->second};
}

bool has_other_spec(std::string_view receipt, const json::Value& object) {
  const auto noted = parse(receipt)[of_spec];
  return !noted.empty() && noted != digest_of_spec(object);
}

bool has_same_deployment(std::string_view receipt, const json::Value& deployment) {
  return parse(receipt)[of_deployment] == own_fields(deployment);
}

bool may_name_budget(std::string_view receipt) {
  return !receipt.ends_with(fmt::format(",{}", absent));
}

}  // namespace capsule::cluster
