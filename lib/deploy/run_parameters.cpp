#include "deploy/run_parameters.hpp"

#include <fmt/format.h>

#include <cmath>

#include "core/error.hpp"

namespace capsule::deploy {

namespace {

[[noreturn]] void refuse(const std::string& name, std::string_view reason) {
  throw Error{ErrorKind::usage, fmt::format("--parameters: '{}' {}", printable(name), reason)};
}

bool has_type(const json::Value& value, std::string_view type) {
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_bool();
  const auto* number = value.if_number();
  if (number == nullptr) return false;
  const auto amount = json::to_double(*number);
  return type == "number" || amount == std::trunc(amount);
}

void check(const std::string& name, const json::Value& value, const Parameter& parameter) {
  if (!has_type(value, parameter.type)) refuse(name, fmt::format("must be of the type {}", parameter.type));
  const auto* number = value.if_number();
  if (number == nullptr) return;
  const auto amount = json::to_double(*number);
  if (parameter.min && amount < *parameter.min) refuse(name, fmt::format("must be at least {}", *parameter.min));
  if (parameter.max && amount > *parameter.max) refuse(name, fmt::format("must be at most {}", *parameter.max));
}

}  // namespace

void check_parameters(const Manifest& manifest, const json::Value& parameters) {
  if (manifest.parameters.empty()) return;
  for (const auto& [name, value] : *parameters.if_object()) {
    const auto declared = manifest.parameters.find(name);
    if (declared == manifest.parameters.end()) refuse(name, "is not among the parameters of the manifest");
    check(name, value, declared->second);
  }
}

}  // namespace capsule::deploy
