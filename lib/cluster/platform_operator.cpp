#include "cluster/platform_operator.hpp"

#include <fmt/format.h>

#include "cluster/drift.hpp"
#include "cluster/names.hpp"
#include "cluster/node.hpp"
#include "cluster/objects.hpp"
#include "cluster/pod_template.hpp"
#include "core/bytes.hpp"
#include "core/error.hpp"
#include "deploy/deployment_status.hpp"

namespace capsule::cluster {

namespace {

const json::Value* member(const json::Value* of, std::string_view name) {
  return of == nullptr || of->if_object() == nullptr ? nullptr : of->if_object()->find(name);
}

std::string template_label(const json::Value& deployment) {
  const auto* found = member(deployment.at_pointer("/spec/template/metadata/labels"), label::pod_template);
  return found == nullptr || found->if_string() == nullptr ? std::string{} : *found->if_string();
}

bool is_zero(const json::Value& deployment) {
  const auto* replicas = deployment.at_pointer("/spec/replicas");
  return replicas != nullptr && *replicas == json::Value{0};
}

Error not_our_pods(const kube::Name& name, const json::Value& there, std::string_view why) {
  return {ErrorKind::conflict,
          fmt::format("the {} was made by {}, and {}: it must be made of spec.template of the ProofedDeployment object "
                      "(--force-conflicts takes it over, --operator none is for a cluster without an operator)",
                      kube::text_of(name), printable(other_maker(there)), why)};
}

}  // namespace

json::Object template_for_operator(const json::Object& pod_template) {
  auto out = pod_template;
  for (const auto name : passed_on_members) deploy::member(out, "spec").erase(name);
  return out;
}

std::string other_maker(const json::Value& deployment) {
  for (const auto& one : array_at(deployment, "/metadata/managedFields"))
    if (!is_our_manager(one) && one.at_pointer("/fieldsV1/f:spec/f:selector") != nullptr)
      return text_at(one, "/manager");
  return {};
}

bool has_followed(const json::Value& deployment, const std::string& pod_template) {
  return other_maker(deployment).empty() || template_label(deployment) == pod_template;
}

std::optional<json::Value> await_operator(kube::Client& client, const kube::Name& name, const std::string& pod_template,
                                          const std::function<void()>& on_wait) {
  std::optional<json::Value> there;
  const kube::WatchOptions options{
      .selection = {.fields = "metadata.name=" + name.name}, .time_limit = patience_for_operator, .on_wait = on_wait};
  static_cast<void>(client.watch(name.resource, name.ns, options, [&](const kube::Event& event) {
    there.reset();
    if (event.kind == kube::EventKind::listed) {
      if (!event.list.items.empty()) there = event.list.items.front();
    } else if (event.kind != kube::EventKind::deleted) {
      there = event.object;
    }
    return there && has_followed(*there, pod_template) ? kube::Flow::stop : kube::Flow::go_on;
  }));
  return there;
}

json::Object left_to_operator(json::Object wanted, const json::Value& there, const std::string& owner) {
  auto& spec = deploy::member(wanted, "spec");
  std::vector<std::string> theirs;
  for (const auto& [name, value] : spec) {
    if (name == "template" || !is_set_by_others(there, {"f:spec", "f:" + name})) continue;
    if (name == "replicas" && is_zero(there) && !(value == json::Value{0})) continue;
    theirs.push_back(name);
  }
  for (const auto& name : theirs) spec.erase(name);
  if (is_set_by_others(there, {"f:metadata", "f:ownerReferences", fmt::format(R"(k:{{"uid":"{}"}})", owner)}))
    deploy::member(wanted, "metadata").erase("ownerReferences");
  return wanted;
}

void require_our_pods(kube::Client& client, const kube::Name& name, const json::Value& there,
                      const std::string& pod_template, const json::Object& wanted) {
  if (!has_followed(there, pod_template))
    throw not_our_pods(
        name, there, fmt::format("its pods are not those that are wanted, {} s later", patience_for_operator.count()));
  const auto tried = client.apply(name, json::Value{wanted}, {.dry_run = true});
  const auto maker = other_maker(there);
  const auto more = effective(additions(tried, maker), client, name, tried, own_spec(tried, maker));
  if (!more.empty()) throw not_our_pods(name, there, fmt::format("has {} beside ours", more.front().what));
}

}  // namespace capsule::cluster
