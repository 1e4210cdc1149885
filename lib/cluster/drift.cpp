#include "cluster/drift.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cluster/node.hpp"
#include "cluster/objects.hpp"
#include "core/error.hpp"
#include "json/write.hpp"

namespace capsule::cluster {

namespace {

const json::Value* member(const json::Value* of, std::string_view name) {
  return of == nullptr || of->if_object() == nullptr ? nullptr : of->if_object()->find(name);
}

/// Which of our fields are of the list's entry with that name (FieldsV1); null: it is not ours.
const json::Value* entry(const json::Value* list, const std::string& name) {
  return member(list, "k:" + json::compact(json::Object{{"name", name}}));
}

/// `ours` are our fields of that container.
void add_of_container(const json::Value& container, const json::Value* ours, const std::string& at,
                      std::vector<Addition>& out) {
  const auto name = printable(text_at(container, "/name"));
  const auto& variables = array_at(container, "/env");
  for (std::size_t i = 0; i < variables.size(); ++i) {
    const auto variable = text_at(variables[i], "/name");
    if (entry(member(ours, "f:env"), variable) == nullptr)
      out.push_back(
          {fmt::format("env {} of container {}", printable(variable), name), fmt::format("{}/env/{}", at, i)});
  }
  for (const std::string_view field : {"envFrom", "lifecycle"}) {
    const auto* there = container.at_pointer(fmt::format("/{}", field));
    if (there != nullptr && member(ours, fmt::format("f:{}", field)) == nullptr)
      out.push_back({fmt::format("{} of container {}", field, name), fmt::format("{}/{}", at, field)});
  }
}

}  // namespace

std::vector<Addition> additions(const json::Value& deployment) {
  std::vector<Addition> out;
  const auto* spec = member(applied_fields(deployment), "f:spec");
  const auto* paused = deployment.at_pointer("/spec/paused");
  if (paused != nullptr && *paused == json::Value{true} && member(spec, "f:paused") == nullptr)
    out.push_back({"its roll-outs are paused", "/spec/paused"});
  const auto* pod = member(member(spec, "f:template"), "f:spec");
  for (const std::string list : {"containers", "initContainers"}) {
    const auto base = "/spec/template/spec/" + list;
    const auto& containers = array_at(deployment, base);
    for (std::size_t i = 0; i < containers.size(); ++i) {
      const auto name = text_at(containers[i], "/name");
      const auto at = fmt::format("{}/{}", base, i);
      if (const auto* ours = entry(member(pod, "f:" + list), name))
        add_of_container(containers[i], ours, at, out);
      else
        out.push_back({fmt::format("container {}", printable(name)), at});
    }
  }
  std::reverse(out.begin(), out.end());
  return out;
}

}  // namespace capsule::cluster
