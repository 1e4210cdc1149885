#include "cluster/deployed_object.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cluster/apply_in_turn.hpp"
#include "cluster/names.hpp"
#include "cluster/node.hpp"
#include "deploy/deployment_status.hpp"
#include "json/write.hpp"
#include "log/log.hpp"

namespace capsule::cluster {

namespace {

constexpr int max_attempts = 8;

}  // namespace

std::optional<json::Value> find_deployed(kube::Client& client, const kube::Name& name) {
  try {
    return client.find(name);
  } catch (const kube::ApiError& error) {
    if (error.status().code != 404) throw;
    throw error.within("the cluster has no ProofedDeployment (install workflows/crds)");
  }
}

DeployedObject::DeployedObject(kube::Client& client, std::string ns, std::string name)
    : m_client(client), m_ns(std::move(ns)), m_name(std::move(name)) {}

const json::Value* DeployedObject::read() {
  m_value = find_deployed(m_client, name());
  if (m_value) m_value = whole(std::move(*m_value));
  return m_value ? &*m_value : nullptr;
}

void DeployedObject::learn_form() {
  if (m_value && ObjectForm::is_our_own(*m_value)) return;
  try {
    const auto crd =
        m_client.find({kube::resources::custom_resource_definitions, {}, kube::text_of(proofed_deployments)});
    if (crd) m_form = ObjectForm::of(*crd);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::denied) throw;
    log::debug("taken for our own: " + error.message());
  }
}

const json::Value& DeployedObject::value() const {
  if (!m_value) throw Error{ErrorKind::not_found, fmt::format("the {} is not there any more", kube::text_of(name()))};
  return *m_value;
}

Owner DeployedObject::owner() const {
  return {m_name, text_at(value(), "/metadata/uid")};
}

std::optional<Owner> DeployedObject::lasting_owner() const {
  if (!m_value || !text_at(*m_value, "/metadata/deletionTimestamp").empty()) return std::nullopt;
  return owner();
}

std::string DeployedObject::annotation(std::string_view name) const {
  return text_at(value(), "/metadata/annotations", name);
}

void DeployedObject::take_over(std::uint64_t transitions, std::uint64_t beside) {
  const auto there = std::max(beside, m_value ? fence_of(*m_value) : 0);
  // The same number is of another deploy, which has it of a lease that is gone.
  m_fence = transitions > there ? transitions : there + 1;
  m_uid = m_value ? text_at(*m_value, "/metadata/uid") : std::string{};
}

void DeployedObject::refuse_if_fenced() const {
  if (!m_fence || !m_value) return;
  // Its lease went with it, so that the numbers of the new one began anew.
  const bool is_another = !m_uid.empty() && text_at(*m_value, "/metadata/uid") != m_uid;
  if (!is_another && fence_of(*m_value) <= *m_fence) return;
  throw Error{ErrorKind::busy,
              fmt::format("another deploy has taken over {} in namespace {}: its lease was not renewed "
                          "in time here",
                          m_name, m_ns)};
}

void DeployedObject::require_turn() {
  read();
  static_cast<void>(value());
  refuse_if_fenced();
}

bool DeployedObject::was_deleted() {
  if (m_uid.empty()) return false;
  read();
  return !lasting_owner() || owner().uid != m_uid;
}

const json::Value& DeployedObject::apply(json::Object wanted, bool force) {
  auto applied = m_form.applied(std::move(wanted), m_value ? &*m_value : nullptr);
  m_value = whole(apply_in_turn(m_client, name(), std::move(applied), fence(), m_value, force));
  m_applied = *m_value;
  m_uid = text_at(*m_value, "/metadata/uid");
  return *m_value;
}

void DeployedObject::again(const std::function<void()>& attempt) {
  for (int i = 1;; ++i) {
    refuse_if_fenced();
    try {
      return attempt();
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::conflict || is_of_fields(error) || i == max_attempts) throw;
    }
    read();
    static_cast<void>(value());
  }
}

void DeployedObject::change_status(const std::function<void(json::Object& object)>& work) {
  again([&] {
    auto next = *value().if_object();
    work(next);
    if (json::Value{next} == value()) return;
    write_status(std::move(next));
  });
}

void DeployedObject::write_status(json::Object next) {
  using Status = ObjectForm::Status;
  if (has_status_in_annotation(*m_value)) m_form.set_status(Status::annotation);
  if (m_form.status() == Status::annotation) {
    patch_annotation(annotation::status, json::compact(deploy::member(next, "status")));
    return;
  }
  if (m_form.status() == Status::subresource) {
    try {
      m_value = whole(m_client.replace(name(), json::Value{next}, {.subresource = "status"}));
      return;
    } catch (const kube::ApiError& error) {
      // The path itself is not served: of a CRD that we have not asked for.
      if (error.status().code != 404 || error.status().names_object) throw;
      m_form.set_status(Status::member);
    }
  }
  m_value = whole(m_client.replace(name(), json::Value{stored(std::move(next))}));
}

void DeployedObject::patch_annotation(std::string_view name, const std::string& text) {
  const json::Object patch{{"metadata", json::Object{{"resourceVersion", text_at(value(), "/metadata/resourceVersion")},
                                                     {"annotations", json::Object{{std::string{name}, text}}}}}};
  m_value = whole(m_client.patch(this->name(), kube::PatchKind::merge, json::Value{patch}));
}

void DeployedObject::say_proof(const std::string& utid, const std::string& hash) {
  again([&] {
    json::Object said;
    for (const auto& [member, text] : {std::pair{"utid", utid}, {"proofHash", hash}}) {
      const auto before = text_at(value(), std::string{"/spec/proofPolicy/"} + member);
      if (!before.empty() && !text.empty() && before != text) said.set(member, text);
    }
    if (said.empty()) return;
    const json::Object patch{
        {"metadata", json::Object{{"resourceVersion", text_at(value(), "/metadata/resourceVersion")}}},
        {"spec", json::Object{{"proofPolicy", std::move(said)}}}};
    m_value = whole(m_client.patch(name(), kube::PatchKind::merge, json::Value{patch}));
  });
}

void DeployedObject::change_annotation(std::string_view name,
                                       const std::function<std::string(const std::string& before)>& work) {
  again([&] {
    const auto before = annotation(name);
    const auto after = work(before);
    if (after != before) patch_annotation(name, after);
  });
}

}  // namespace capsule::cluster
