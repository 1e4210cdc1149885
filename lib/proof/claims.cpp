#include "proof/claims.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "core/error.hpp"
#include "fs/safe_path.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "proof/program.hpp"

namespace capsule::proof {

namespace {

constexpr std::array relation_names{std::pair{Relation::equal, std::string_view{"="}},
                                    std::pair{Relation::less_equal, std::string_view{"<="}},
                                    std::pair{Relation::less, std::string_view{"<"}}};
constexpr std::array type_names{std::pair{ClaimType::compare, std::string_view{"compare"}},
                                std::pair{ClaimType::forall, std::string_view{"forall"}},
                                std::pair{ClaimType::sim_alignment, std::string_view{"sim_alignment"}}};

/// [a-z][a-z0-9_]{0,63}
bool is_symbol(std::string_view name) {
  const auto lower = [](char c) { return c >= 'a' && c <= 'z'; };
  return !name.empty() && name.size() <= 64 && lower(name.front()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return lower(c) || (c >= '0' && c <= '9') || c == '_'; });
}

/// [a-z0-9][a-z0-9_-]{0,63}: what stands in reports and on terminals.
bool is_claim_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && name.front() != '-' && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

std::string pointer_of(const json::Cursor& cursor) {
  const auto& text = cursor.string();
  if (!text.empty() && text.front() != '/') cursor.fail("not a JSON pointer");
  return text;
}

std::vector<Variable> read_variables(const json::Cursor& cursor) {
  std::vector<Variable> variables;
  for (const auto& [name, member] : cursor.members()) {
    if (!is_symbol(name)) member.fail("a name is [a-z][a-z0-9_]{0,63}");
    if (name == "record") member.fail("no variable may be called 'record'");
    member.allow_only({"min", "max", "unit"});
    if (const auto unit = member.optional("unit")) static_cast<void>(unit->string());
    variables.push_back({name, member.at("min").number(), member.at("max").number()});
    if (variables.back().min > variables.back().max) member.fail("min is greater than max");
  }
  if (variables.size() > Claims::max_variables)
    cursor.fail(fmt::format("more than {} variables", Claims::max_variables));
  std::sort(variables.begin(), variables.end(), [](const Variable& a, const Variable& b) { return a.name < b.name; });
  return variables;
}

void read_definitions(const json::Cursor& cursor, Claims& claims) {
  if (cursor.object().size() > Claims::max_definitions)
    cursor.fail(fmt::format("more than {} definitions", Claims::max_definitions));
  for (const auto& [name, member] : cursor.object()) {
    if (!is_symbol(name)) cursor.at(name).fail("a name is [a-z][a-z0-9_]{0,63}");
    const bool taken = std::any_of(claims.variables.begin(), claims.variables.end(),
                                   [&key = name](const Variable& variable) { return variable.name == key; });
    if (taken) cursor.at(name).fail("a variable has this name too");
    claims.definitions.emplace(name, member);
  }
}

double number_at_least_zero(const json::Cursor& cursor) {
  const double value = cursor.number();
  if (value < 0) cursor.fail("less than 0");
  return value;
}

void read_sides(const json::Cursor& cursor, Claim& claim) {
  claim.left = cursor.at("left").value();
  claim.right = cursor.at("right").value();
  const auto relation = cursor.at("relation");
  const auto* found = std::find_if(relation_names.begin(), relation_names.end(),
                                   [&](const auto& pair) { return pair.second == relation.string(); });
  if (found == relation_names.end()) relation.fail("a relation is \"=\", \"<=\" or \"<\"");
  claim.relation = found->first;
  if (claim.type == ClaimType::compare) {
    cursor.allow_only({"name", "type", "left", "relation", "right", "tolerance"});
    if (const auto tolerance = cursor.optional("tolerance")) claim.tolerance = number_at_least_zero(*tolerance);
  } else {
    cursor.allow_only({"name", "type", "left", "relation", "right"});
    if (claim.relation == Relation::equal) relation.fail("a forall claim has the relation \"<=\" or \"<\"");
  }
}

void read_sim_alignment(const json::Cursor& cursor, Claim& claim) {
  cursor.allow_only({"name", "type", "samples", "reference", "reference_pointer", "max_effect_size", "min_p"});
  claim.samples = pointer_of(cursor.at("samples"));
  claim.reference = fs::SafePath::parse(cursor.at("reference").string()).text();
  if (!claim.reference.ends_with(".json")) cursor.at("reference").fail("a reference is a .json file of the capsule");
  claim.reference_pointer = pointer_of(cursor.at("reference_pointer"));
  claim.max_effect_size = number_at_least_zero(cursor.at("max_effect_size"));
  claim.min_p = number_at_least_zero(cursor.at("min_p"));
  if (claim.min_p > 1) cursor.at("min_p").fail("a probability is at most 1");
}

Claim read_claim(const json::Cursor& cursor) {
  Claim claim;
  claim.document = cursor.value();
  claim.name = cursor.at("name").string();
  if (!is_claim_name(claim.name)) cursor.at("name").fail("a claim's name is [a-z0-9_][a-z0-9_-]{0,63}");
  const auto type = cursor.at("type");
  const auto* found = std::find_if(type_names.begin(), type_names.end(),
                                   [&](const auto& pair) { return pair.second == type.string(); });
  if (found == type_names.end())
    type.fail(fmt::format("claim '{}': unknown claim type '{}'", claim.name, printable(type.string(), 64)));
  claim.type = found->first;
  if (claim.type == ClaimType::sim_alignment)
    read_sim_alignment(cursor, claim);
  else
    read_sides(cursor, claim);
  return claim;
}

void read_claims(const json::Cursor& cursor, Claims& claims) {
  if (cursor.array().size() > Claims::max_claims) cursor.fail(fmt::format("more than {} claims", Claims::max_claims));
  std::set<std::string> names;
  for (const auto& element : cursor.elements()) {
    claims.claims.push_back(read_claim(element));
    if (!names.insert(claims.claims.back().name).second) element.at("name").fail("another claim has this name");
  }
}

/// Every expression must compile, those of definitions that no claim uses too.
void check_expressions(const Claims& claims) {
  Claim probe;
  probe.name = "definitions";
  probe.type = ClaimType::forall;
  probe.right = 0;
  for (const auto& [name, value] : claims.definitions) {
    probe.left = name;
    static_cast<void>(compile(probe, claims, nullptr));
  }
  for (const auto& claim : claims.claims) {
    if (claim.type != ClaimType::sim_alignment) static_cast<void>(compile(claim, claims, nullptr));
  }
}

Claims read_all(const json::Cursor& variables, const json::Cursor& definitions, const json::Cursor& list) {
  Claims claims;
  claims.variables = read_variables(variables);
  read_definitions(definitions, claims);
  claims.variables_document = variables.value();
  claims.definitions_document = definitions.value();
  read_claims(list, claims);
  return claims;
}

const json::Value& number_in(const json::Value& record, const std::string& pointer) {
  const auto* found = record.at_pointer(pointer);
  if (found == nullptr || !found->is_number()) {
    throw Error{ErrorKind::verification_failed,
                fmt::format("the run record has no number at {}, which a claim needs", printable(pointer))};
  }
  return *found;
}

bool holds_record(const json::Value& value) {
  if (const auto* array = value.if_array()) return std::any_of(array->begin(), array->end(), holds_record);
  const auto* object = value.if_object();
  if (object == nullptr) return false;
  return object->find("record") != nullptr ||
         std::any_of(object->begin(), object->end(),
                     [](const json::Member& member) { return holds_record(member.second); });
}

}  // namespace

std::string_view name_of(Relation relation) noexcept {
  return std::find_if(relation_names.begin(), relation_names.end(), [&](const auto& p) { return p.first == relation; })
      ->second;
}

std::string_view name_of(ClaimType type) noexcept {
  return std::find_if(type_names.begin(), type_names.end(), [&](const auto& p) { return p.first == type; })->second;
}

const Claim* Claims::find(std::string_view name) const noexcept {
  const auto found = std::find_if(claims.begin(), claims.end(), [&](const Claim& claim) { return claim.name == name; });
  return found == claims.end() ? nullptr : &*found;
}

Claims parse_claims(std::string_view text, std::string_view what) {
  const auto document = json::parse(text, what, {.depth = Claims::max_json_depth});
  const json::Cursor top{document, std::string{what}};
  top.allow_only({"version", "variables", "definitions", "claims"});
  if (top.at("version").int64() != 1) top.at("version").fail("only version 1 is known");
  top.require_exact_integers();
  const json::Value none{json::Object{}};
  const json::Cursor nothing{none, std::string{what}};
  auto claims = read_all(top.optional("variables").value_or(nothing), top.optional("definitions").value_or(nothing),
                         top.at("claims"));
  with_trace(what, [&] { check_expressions(claims); });
  return claims;
}

Claims claims_of_evidence(const json::Value& variables, const json::Value& definitions, const json::Value& list) {
  constexpr auto kind = ErrorKind::verification_failed;
  if (holds_record(definitions) || holds_record(list))
    throw Error{kind, "evidence: a claim still refers to the run record instead of its number"};
  auto claims = read_all({variables, "evidence: variables", kind}, {definitions, "evidence: definitions", kind},
                         {list, "evidence: claims", kind});
  const bool foreign = std::any_of(claims.claims.begin(), claims.claims.end(),
                                   [](const Claim& claim) { return claim.type == ClaimType::sim_alignment; });
  if (foreign) throw Error{kind, "evidence: a mathematical proof is of compare and forall claims alone"};
  return claims;
}

json::Value with_record_values(const json::Value& value, const json::Value& record) {
  if (const auto* array = value.if_array()) {
    json::Array out;
    out.reserve(array->size());
    for (const auto& element : *array) out.push_back(with_record_values(element, record));
    return out;
  }
  const auto* object = value.if_object();
  if (object == nullptr) return value;
  if (const auto* pointer = object->find("record"); pointer != nullptr && object->size() == 1 && pointer->is_string())
    return number_in(record, *pointer->if_string());
  json::Object out;
  for (const auto& [key, member] : *object) out.set(key, with_record_values(member, record));
  return out;
}

}  // namespace capsule::proof
