#include "cluster/ownership.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cluster/node.hpp"
#include "core/error.hpp"

namespace capsule::cluster {

namespace {

constexpr std::chrono::milliseconds look_again{1000};

const json::Array& owners_of(const json::Value& object) {
  static const json::Array none;
  const auto* owners = object.at_pointer("/metadata/ownerReferences");
  return owners == nullptr || owners->if_array() == nullptr ? none : *owners->if_array();
}

bool is_to_go(const json::Value& object, const std::string& owner, const std::string& uid) {
  return !text_at(object, "/metadata/deletionTimestamp").empty() || has_other_owner(object, owner, uid);
}

}  // namespace

bool has_other_owner(const json::Value& object, const std::string& owner, const std::string& uid) {
  const auto& owners = owners_of(object);
  return std::any_of(owners.begin(), owners.end(), [&](const json::Value& one) {
    return text_at(one, "/kind") == "ProofedDeployment" && text_at(one, "/name") == owner &&
           text_at(one, "/uid") != uid;
  });
}

bool is_ours(const json::Value& object) {
  const auto* labels = object.at_pointer("/metadata/labels");
  const auto* part = labels == nullptr || labels->if_object() == nullptr
                         ? nullptr
                         : labels->if_object()->find("app.kubernetes.io/part-of");
  if (part != nullptr && *part == json::Value{"capsule-loop"}) return true;
  const auto& owners = owners_of(object);
  return std::any_of(owners.begin(), owners.end(),
                     [](const json::Value& one) { return text_at(one, "/kind") == "ProofedDeployment"; });
}

bool is_orphan(const json::Value& object) {
  return owners_of(object).empty();
}

void require_ours(const kube::Name& name, const std::optional<json::Value>& there) {
  if (!there || is_ours(*there)) return;
  throw Error{ErrorKind::conflict,
              fmt::format("the {} is none that capsule-deploy made (it lacks the label "
                          "app.kubernetes.io/part-of=capsule-loop): remove or rename it, or set that label for it to "
                          "be taken over, and removed with the deployment",
                          kube::text_of(name))};
}

std::optional<json::Value> find_settled(kube::Client& client, const kube::Name& name, const std::string& owner,
                                        const std::string& uid, const Patience& patience) {
  auto& timer = client.connection().timer();
  const auto deadline = timer.now() + patience.limit;
  for (;;) {
    auto there = client.find(name);
    if (!there || !is_to_go(*there, owner, uid)) return there;
    if (timer.now() >= deadline)
      throw Error{ErrorKind::timed_out,
                  fmt::format("the {} is being removed, and not gone yet: see its finalizers", kube::text_of(name))};
    timer.sleep(look_again);
    if (patience.on_wait) patience.on_wait();
  }
}

}  // namespace capsule::cluster
