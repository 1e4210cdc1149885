#include "cluster/deployed_object.hpp"

#include <fmt/format.h>

#include "cluster/apply_in_turn.hpp"
#include "cluster/names.hpp"
#include "cluster/node.hpp"

namespace capsule::cluster {

namespace {

constexpr int max_attempts = 8;

}  // namespace

DeployedObject::DeployedObject(kube::Client& client, std::string ns, std::string name)
    : m_client(client), m_ns(std::move(ns)), m_name(std::move(name)) {}

const json::Value* DeployedObject::read() {
  try {
    m_value = m_client.find(name());
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
    throw error.within("the cluster has no ProofedDeployment (install workflows/crds)");
  }
  return m_value ? &*m_value : nullptr;
}

const json::Value& DeployedObject::value() const {
  if (!m_value) throw Error{ErrorKind::not_found, fmt::format("the {} is not there any more", kube::text_of(name()))};
  return *m_value;
}

Owner DeployedObject::owner() const {
  return {m_name, text_at(value(), "/metadata/uid")};
}

std::string DeployedObject::annotation(std::string_view name) const {
  const auto* all = value().at_pointer("/metadata/annotations");
  const auto* found = all == nullptr || all->if_object() == nullptr ? nullptr : all->if_object()->find(name);
  return found == nullptr || found->if_string() == nullptr ? std::string{} : *found->if_string();
}

void DeployedObject::take_over(std::uint64_t transitions) {
  const auto there = m_value ? fence_of(*m_value) : 0;
  m_fence = transitions >= there ? transitions : there + 1;
}

void DeployedObject::refuse_if_fenced() const {
  if (!m_fence || !m_value || fence_of(*m_value) <= *m_fence) return;
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

const json::Value& DeployedObject::apply(json::Object wanted, bool force) {
  m_value = apply_in_turn(m_client, name(), std::move(wanted), fence(), m_value, force);
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
    m_value = m_client.replace(name(), json::Value{std::move(next)}, {.subresource = "status"});
  });
}

void DeployedObject::change_annotation(std::string_view name,
                                       const std::function<std::string(const std::string& before)>& work) {
  again([&] {
    const auto before = annotation(name);
    const auto after = work(before);
    if (after == before) return;
    const json::Object patch{
        {"metadata", json::Object{{"resourceVersion", text_at(value(), "/metadata/resourceVersion")},
                                  {"annotations", json::Object{{std::string{name}, after}}}}}};
    m_value = m_client.patch(this->name(), kube::PatchKind::merge, json::Value{patch});
  });
}

}  // namespace capsule::cluster
