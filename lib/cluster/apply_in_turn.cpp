#include "cluster/apply_in_turn.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cluster/names.hpp"
#include "cluster/node.hpp"
#include "cluster/ownership.hpp"
#include "core/error.hpp"
#include "deploy/deployment_status.hpp"

namespace capsule::cluster {

namespace {

/// Of an object whose controller writes its status meanwhile.
constexpr int max_attempts = 16;
/// No object has the first version of all: an apply with it makes one where there is none, and is a conflict elsewhere.
constexpr std::string_view only_if_absent = "1";

void set_preconditions(json::Object& metadata, const std::optional<json::Value>& there) {
  metadata.set("resourceVersion", there ? text_at(*there, "/metadata/resourceVersion") : std::string{only_if_absent});
  // Without it, an apply makes an object anew that was removed meanwhile, whatever version it asks for.
  if (there && !text_at(*there, "/metadata/uid").empty()) metadata.set("uid", text_at(*there, "/metadata/uid"));
}

/// Whether it is of another ProofedDeployment object than what we want, whose lease and its numbers are others, too.
bool is_of_another(const json::Value& there, const json::Object& wanted) {
  const json::Value ours{wanted};
  for (const auto& owner : array_at(ours, "/metadata/ownerReferences"))
    if (has_other_owner(there, text_at(owner, "/name"), text_at(owner, "/uid"))) return true;
  return false;
}

/// Of one cause of a conflict: whether the field that is another manager's is an annotation that we alone write, as
/// after a restore from a backup, or one that we have set ourselves in another way than by an apply (put_spec).
bool is_ours_to_take(const std::string& cause) {
  return cause.find(fmt::format(": conflict with \"{}\" using ", field_manager)) != std::string::npos ||
         cause.find(": .metadata.annotations.capsule.industriverse.ai/") != std::string::npos;
}

bool is_ours_to_take(const Error& error) {
  if (!is_of_fields(error)) return false;
  const auto& causes = dynamic_cast<const kube::ApiError&>(error).status().causes;
  return std::all_of(causes.begin(), causes.end(), [](const std::string& cause) { return is_ours_to_take(cause); });
}

}  // namespace

std::uint64_t fence_of(const json::Value& object) {
  constexpr std::size_t max_digits = 15;
  const auto text = text_at(object, "/metadata/annotations", annotation::fence);
  if (text.empty() || text.size() > max_digits) return 0;
  return text.find_first_not_of("0123456789") == std::string::npos ? std::stoull(text) : 0;
}

void require_not_fenced(const kube::Name& name, const json::Value& object, std::uint64_t fence) {
  if (fence_of(object) <= fence) return;
  throw Error{ErrorKind::busy, fmt::format("another deploy has taken over {}: its lease was not renewed in time here",
                                           kube::text_of(name))};
}

bool is_of_fields(const Error& error) {
  const auto* answer = dynamic_cast<const kube::ApiError*>(&error);
  return answer != nullptr && !answer->status().causes.empty();
}

json::Value apply(kube::Client& client, const kube::Name& name, const json::Value& wanted, bool force) {
  try {
    return client.apply(name, wanted, {.force = force});
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::conflict || !is_of_fields(error)) throw;
    if (!force && is_ours_to_take(error)) return apply(client, name, wanted, true);
    throw Error{ErrorKind::conflict, error.message() + " (--force-conflicts takes these fields over)"};
  }
}

json::Value apply_in_turn(kube::Client& client, const kube::Name& name, json::Object wanted, std::uint64_t fence,
                          std::optional<json::Value> there, bool force) {
  auto& metadata = deploy::member(wanted, "metadata");
  deploy::member(metadata, "annotations").set(annotation::fence, std::to_string(fence));
  for (int i = 1;; ++i) {
    if (there) require_not_fenced(name, *there, fence);
    set_preconditions(metadata, there);
    try {
      return apply(client, name, json::Value{wanted}, force);
    } catch (const Error& error) {
      const bool is_answer = dynamic_cast<const kube::ApiError*>(&error) != nullptr;
      if (error.kind() != ErrorKind::conflict || !is_answer || i == max_attempts) throw;
    }
    const auto before = there ? text_at(*there, "/metadata/uid") : std::string{};
    const bool was_there = there.has_value();
    there = client.find(name);
    if (was_there && !there)
      throw Error{ErrorKind::not_found, fmt::format("the {} is not there any more", kube::text_of(name))};
    const bool is_another = !before.empty() && text_at(*there, "/metadata/uid") != before;
    if (is_another || (there && is_of_another(*there, wanted)))
      throw Error{ErrorKind::busy,
                  fmt::format("the {} was removed meanwhile, and somebody else has made it anew", kube::text_of(name))};
    metadata.erase("uid");
  }
}

}  // namespace capsule::cluster
