#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "json/write.hpp"
#include "workflow/binding.hpp"
#include "workflow/runner.hpp"

namespace capsule::workflow {

namespace {

std::optional<std::string> config_value(const ValueFrom& from, const RunRequest& request) {
  const auto map = request.config_maps.find(from.config_map);
  if (map != request.config_maps.end()) {
    if (const auto entry = map->second.find(from.config_key); entry != map->second.end()) return entry->second;
  }
  return from.default_value;
}

std::optional<std::string> own_value(const Parameter& parameter, const RunRequest& request) {
  if (parameter.value) return parameter.value;
  if (parameter.from && !parameter.from->config_map.empty()) {
    if (auto value = config_value(*parameter.from, request)) return value;
  }
  return parameter.default_value;
}

/// The inputs of the entrypoint, which the workflow's arguments of the same names fill.
const std::vector<Parameter>& entrypoint_inputs(const Library& library) {
  const auto& spec = library.main();
  return library.resolve(spec, {{}, spec.entrypoint}).definition->inputs;
}

}  // namespace

std::map<std::string, std::string> resolve_arguments(const Library& library, const RunRequest& request) {
  std::map<std::string, std::string> out;
  for (const auto* list : {&library.main().arguments, &library.submitted.arguments}) {
    for (const auto& parameter : *list) {
      if (request.parameters.contains(parameter.name)) continue;
      if (auto value = own_value(parameter, request))
        out.insert_or_assign(parameter.name, *std::move(value));
      else if (!out.contains(parameter.name)) {
        const auto hint = parameter.from
                              ? fmt::format(", or the ConfigMap '{}' with --config FILE", parameter.from->config_map)
                              : std::string{};
        throw Error{ErrorKind::usage, fmt::format("the parameter '{}' has no value: give -p {}=…{}", parameter.name,
                                                  parameter.name, hint)};
      }
    }
  }
  const auto& inputs = entrypoint_inputs(library);
  for (const auto& [name, value] : request.parameters) {
    const auto is_it = [&name = name](const Parameter& parameter) { return parameter.name == name; };
    const bool known = std::any_of(inputs.begin(), inputs.end(), is_it) ||
                       std::any_of(library.submitted.arguments.begin(), library.submitted.arguments.end(), is_it) ||
                       std::any_of(library.main().arguments.begin(), library.main().arguments.end(), is_it);
    if (!known)
      throw Error{ErrorKind::usage,
                  fmt::format("the workflow '{}' has no parameter '{}'", library.submitted.name, printable(name))};
    out.insert_or_assign(name, value);
  }
  for (const auto* list : {&library.main().arguments, &library.submitted.arguments, &inputs}) {
    for (const auto& parameter : *list) {
      if (const auto value = out.find(parameter.name); value != out.end()) check_allowed(parameter, value->second);
    }
  }
  return out;
}

std::string run_id_of(const Library& library, const std::map<std::string, std::string>& arguments,
                      const RunRequest& request) {
  json::Object files;
  for (const auto& [name, text] : library.texts) files.set(name, crypto::sha256(text).text());
  json::Object parameters;
  for (const auto& [name, value] : arguments) parameters.set(name, value);
  const json::Object key{{"files", std::move(files)},
                         {"parameters", std::move(parameters)},
                         {"folder", crypto::sha256(request.working_folder.string()).text()},
                         {"nonce", request.nonce}};
  return std::string{crypto::sha256(json::canonical(key)).hex().substr(0, 16)};
}

}  // namespace capsule::workflow
