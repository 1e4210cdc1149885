#include "capsule/manifest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "capsule/quantity.hpp"
#include "capsule/requirement.hpp"
#include "core/error.hpp"
#include "core/semver.hpp"
#include "fs/safe_path.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"

namespace capsule {

namespace {

constexpr std::size_t max_list = 64;
constexpr std::size_t max_description_bytes = 4096;
constexpr std::array<std::string_view, 2> proof_types{"mathematical_proof", "sim_alignment"};

bool is_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// Letters, digits and `-_.`, beginning with a letter or digit, at most 63 bytes.
bool is_word(std::string_view text) {
  const auto alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !text.empty() && text.size() <= 63 && alphanumeric(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
}

/// The strings of an array, each once.
std::vector<json::Cursor> unique_strings(const json::Cursor& list) {
  auto elements = list.elements();
  if (elements.size() > max_list) list.fail(fmt::format("over {} entries", max_list));
  std::set<std::string_view> seen;
  for (const auto& element : elements) {
    if (!seen.insert(element.string()).second) element.fail("it stands there twice");
  }
  return elements;
}

std::vector<Requirement> read_requirements(const json::Cursor& list) {
  std::vector<Requirement> out;
  for (const auto& element : unique_strings(list)) {
    auto requirement = parse_requirement(element.string());
    if (!requirement) {
      element.fail(
          fmt::format("'{}' is no requirement that is known: gpu:true|false|<count>, gpu-memory:<quantity>, "
                      "utid:hardware-bound|soft, arch:<architecture>",
                      printable(element.string())));
    }
    const bool twice =
        std::any_of(out.begin(), out.end(), [&](const Requirement& other) { return other.kind == requirement->kind; });
    if (twice) element.fail("there is another requirement of this kind");
    out.push_back(*std::move(requirement));
  }
  return out;
}

bool is_anchor(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return false;
  const auto kind = text.substr(0, colon);
  const auto name = text.substr(colon + 1);
  if (kind == "evm") return is_digits(name) && name.size() <= 18 && name.front() != '0';
  return (kind == "rfc3161" || kind == "log") && is_word(name);
}

ProofPolicy read_proof_policy(const json::Cursor& object) {
  object.allow_only({"required", "types", "anchors"});
  ProofPolicy out;
  out.required = object.at("required").boolean();
  if (const auto types = object.optional("types")) {
    for (const auto& type : unique_strings(*types)) {
      if (std::find(proof_types.begin(), proof_types.end(), type.string()) == proof_types.end()) {
        type.fail(fmt::format("'{}' is no proof type that is known: mathematical_proof, sim_alignment",
                              printable(type.string())));
      }
      out.types.push_back(type.string());
    }
  }
  if (const auto anchors = object.optional("anchors")) {
    for (const auto& anchor : unique_strings(*anchors)) {
      if (!is_anchor(anchor.string())) {
        anchor.fail(
            fmt::format("'{}' is no anchor: evm:<chain id>, rfc3161:<name>, log:<name>", printable(anchor.string())));
      }
      out.anchors.push_back(anchor.string());
    }
  }
  if (out.required && out.types.empty()) object.fail("a proof is required, and no type is named");
  return out;
}

std::uint32_t read_prewarm(const json::Cursor& value) {
  if (const auto* flag = value.value().if_bool()) return *flag ? 1 : 0;
  if (!value.value().is_object()) value.fail("true, false or {\"replicas\": n} is wanted");
  value.allow_only({"replicas"});
  const auto replicas = value.at("replicas");
  if (replicas.uint64() > max_replicas) replicas.fail(fmt::format("over {} replicas", max_replicas));
  return static_cast<std::uint32_t>(replicas.uint64());
}

/// Digits, with a fraction or without; at most 18 in all.
bool is_price(std::string_view text) {
  const auto point = text.find('.');
  const auto whole = text.substr(0, point);
  const bool whole_holds = is_digits(whole) && (whole == "0" || whole.front() != '0');
  return whole_holds && text.size() <= 19 && (point == std::string_view::npos || is_digits(text.substr(point + 1)));
}

Billing read_billing(const json::Cursor& object) {
  object.allow_only({"unit", "price"});
  Billing out;
  const auto unit = object.at("unit");
  out.unit = unit.string();
  if (!is_word(out.unit)) unit.fail("a unit is one word, such as run");
  const auto price = object.at("price");
  const auto* number = price.value().if_number();
  out.price = number != nullptr ? number->text : price.string();
  if (!is_price(out.price)) price.fail("a price is a decimal such as 5.00: not negative, no exponent");
  return out;
}

std::map<std::string, std::string> read_resources(const json::Cursor& object) {
  object.allow_only({"cpu", "memory"});
  std::map<std::string, std::string> out;
  for (const auto& [key, value] : object.members()) {
    const auto quantity = parse_quantity_milli(value.string());
    if (!quantity || *quantity == 0) value.fail("a quantity is wanted, such as 500m, 2 or 512Mi");
    out.emplace(key, value.string());
  }
  return out;
}

std::map<std::string, std::string> read_annotations(const json::Cursor& object) {
  std::map<std::string, std::string> out;
  for (const auto& [key, value] : object.members()) out.emplace(key, value.string());
  return out;
}

void check_default(const json::Cursor& value, const Parameter& parameter) {
  if (parameter.type == "string") {
    static_cast<void>(value.string());
  } else if (parameter.type == "boolean") {
    static_cast<void>(value.boolean());
  } else {
    const double number = parameter.type == "integer" ? static_cast<double>(value.int64()) : value.number();
    if ((parameter.min && number < *parameter.min) || (parameter.max && number > *parameter.max))
      value.fail("the default lies outside of min and max");
  }
}

Parameter read_parameter(const json::Cursor& object) {
  object.allow_only({"type", "default", "min", "max"});
  Parameter out;
  const auto type = object.at("type");
  out.type = type.string();
  const bool numeric = out.type == "number" || out.type == "integer";
  if (!numeric && out.type != "string" && out.type != "boolean")
    type.fail("number, integer, string or boolean is wanted");
  const auto read_bound = [&](std::string_view key) -> std::optional<double> {
    const auto bound = object.optional(key);
    if (!bound) return std::nullopt;
    if (!numeric) bound->fail(fmt::format("a {} has no {}", out.type, key));
    return bound->number();
  };
  out.min = read_bound("min");
  out.max = read_bound("max");
  if (out.min && out.max && *out.min > *out.max) object.fail("min is above max");
  if (const auto value = object.optional("default")) {
    check_default(*value, out);
    out.default_value = value->value();
  }
  return out;
}

std::map<std::string, Parameter> read_parameters(const json::Cursor& object) {
  std::map<std::string, Parameter> out;
  object.require_exact_integers();
  for (const auto& [key, value] : object.members()) {
    if (!is_word(key)) value.fail("a parameter's name is letters, digits, '-', '_' and '.', at most 63");
    out.emplace(key, read_parameter(value));
  }
  return out;
}

void read_names(const json::Cursor& top, Manifest& out) {
  const auto name = top.at("name");
  out.name = name.string();
  if (!is_name(out.name)) {
    name.fail(fmt::format("'{}' is no name: a-z, 0-9 and '-' inside, at most 63", printable(out.name)));
  }
  const auto version = top.at("version");
  out.version = version.string();
  if (!is_version(out.version)) {
    version.fail(fmt::format("'{}' is no version: semver 2.0 without '+', at most 100 bytes, such as 1.2.3",
                             printable(out.version)));
  }
  const auto entrypoint = top.at("entrypoint");
  out.entrypoint = entrypoint.string();
  try {
    fs::SafePath::parse(out.entrypoint);
  } catch (const Error& error) {
    entrypoint.fail(error.message());
  }
}

}  // namespace

Manifest parse_manifest(std::string_view text) {
  const auto value = json::parse(text, "capsule.json");
  const json::Cursor top{value, "capsule.json"};
  top.allow_only({"name", "version", "entrypoint", "requirements", "proof_policy", "prewarm", "billing", "description",
                  "resources", "parameters", "annotations"});
  Manifest out;
  read_names(top, out);
  if (const auto it = top.optional("requirements")) out.requirements = read_requirements(*it);
  if (const auto it = top.optional("proof_policy")) out.proof_policy = read_proof_policy(*it);
  if (const auto it = top.optional("prewarm")) out.prewarm_replicas = read_prewarm(*it);
  if (const auto it = top.optional("billing")) out.billing = read_billing(*it);
  if (const auto it = top.optional("resources")) out.resources = read_resources(*it);
  if (const auto it = top.optional("parameters")) out.parameters = read_parameters(*it);
  if (const auto it = top.optional("annotations")) out.annotations = read_annotations(*it);
  if (const auto it = top.optional("description")) {
    out.description = it->string();
    if (out.description.size() > max_description_bytes) it->fail("over 4 KiB");
  }
  return out;
}

std::string Manifest::architecture() const {
  for (const auto& requirement : requirements) {
    if (requirement.kind == Requirement::Kind::arch) return requirement.word;
  }
  return "amd64";
}

std::optional<std::uint64_t> Manifest::memory_bytes() const {
  const auto it = resources.find("memory");
  if (it == resources.end()) return std::nullopt;
  const auto thousandths = parse_quantity_milli(it->second);
  if (!thousandths) return std::nullopt;
  return *thousandths / 1000;
}

std::string package_file_name(const Manifest& manifest) {
  return fmt::format("capsule_{}-{}.tar.gz", manifest.name, manifest.version);
}

}  // namespace capsule
