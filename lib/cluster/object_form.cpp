#include "cluster/object_form.hpp"

#include <algorithm>

#include "cluster/names.hpp"
#include "cluster/node.hpp"
#include "core/error.hpp"
#include "deploy/deployment_status.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "log/log.hpp"

namespace capsule::cluster {

namespace {

const json::Object* object_at(const json::Value& value, std::string_view pointer) {
  const auto* found = value.at_pointer(pointer);
  return found == nullptr ? nullptr : found->if_object();
}

bool keeps_all(const json::Value& schema) {
  const auto* flag = schema.at_pointer("/x-kubernetes-preserve-unknown-fields");
  return flag != nullptr && flag->if_bool() != nullptr && *flag->if_bool();
}

bool keeps(const json::Value& schema, std::string_view member) {
  const auto* properties = object_at(schema, "/properties");
  return keeps_all(schema) || (properties != nullptr && properties->find(member) != nullptr);
}

const json::Value* version_one(const json::Value& crd) {
  const auto* versions = crd.at_pointer("/spec/versions");
  if (versions == nullptr || versions->if_array() == nullptr) return nullptr;
  for (const auto& version : *versions->if_array())
    if (text_at(version, "/name") == "v1") return &version;
  return nullptr;
}

/// What stands for a value that is not known yet.
json::Value pending_value(const json::Value& schema) {
  const auto type = text_at(schema, "/type");
  if (type == "object") return json::Object{};
  if (type == "array") return json::Array{};
  if (type == "boolean") return false;
  if (type == "integer" || type == "number") return 0;
  const auto* words = schema.at_pointer("/enum");
  if (words == nullptr || words->if_array() == nullptr || words->if_array()->empty()) return "pending";
  const auto& all = *words->if_array();
  const auto soft = std::find(all.begin(), all.end(), json::Value{"soft"});
  return soft == all.end() ? all.front() : *soft;
}

/// Adds what is required. What another one has said already is his, and is not said again.
void fill(const json::Value& schema, json::Object& object, const json::Value* there) {
  const auto* required = schema.at_pointer("/required");
  const auto* properties = object_at(schema, "/properties");
  if (properties == nullptr) return;
  const auto names = required == nullptr || required->if_array() == nullptr ? json::Array{} : *required->if_array();
  for (const auto& name : names) {
    const auto* text = name.if_string();
    const auto* of = text == nullptr ? nullptr : properties->find(*text);
    if (of == nullptr || object.find(*text) != nullptr) continue;
    const auto* said = there == nullptr || there->if_object() == nullptr ? nullptr : there->if_object()->find(*text);
    auto pending = pending_value(*of);
    if (said == nullptr || said->is_object() || *said == pending) object.set(*text, std::move(pending));
  }
  for (const auto& [name, of] : *properties) {
    auto* value = object.find(name);
    if (value == nullptr || !value->is_object()) continue;
    const auto* said = there == nullptr || there->if_object() == nullptr ? nullptr : there->if_object()->find(name);
    fill(of, *value->if_object(), said);
  }
}

/// The text of an annotation as an object; nothing where there is none, or it is damaged.
std::optional<json::Object> kept(const json::Value& object, std::string_view name) {
  const auto* all = object_at(object, "/metadata/annotations");
  const auto* text = all == nullptr ? nullptr : all->find(name);
  if (text == nullptr || text->if_string() == nullptr) return std::nullopt;
  try {
    auto value = json::parse(*text->if_string(), name);
    if (value.is_object()) return std::move(*value.if_object());
  } catch (const Error& error) {
    log::warning(std::string{name} +
                 " of the ProofedDeployment object is damaged, and counts as missing: " + error.message());
  }
  return std::nullopt;
}

}  // namespace

ObjectForm ObjectForm::of(const json::Value& crd) {
  ObjectForm form;
  const auto* version = version_one(crd);
  if (version == nullptr) return form;
  if (const auto* spec = version->at_pointer("/schema/openAPIV3Schema/properties/spec")) form.m_spec = *spec;
  const auto* status = version->at_pointer("/schema/openAPIV3Schema/properties/status");
  const auto* top = version->at_pointer("/schema/openAPIV3Schema");
  const bool holds_it = (top != nullptr && keeps_all(*top)) ||
                        (status != nullptr && keeps(*status, "conditions") && keeps(*status, "lastRun"));
  if (!holds_it)
    form.m_status = Status::annotation;
  else if (version->at_pointer("/subresources/status") == nullptr)
    form.m_status = Status::member;
  return form;
}

bool ObjectForm::is_our_own(const json::Value& object) {
  return object.at_pointer("/spec/capsule") != nullptr && !kept(object, annotation::spec);
}

json::Object ObjectForm::applied(json::Object whole, const json::Value* there) const {
  if (!m_spec.is_object()) return whole;
  auto& spec = deploy::member(whole, "spec");
  json::Object beside;
  for (const auto& [name, value] : spec)
    if (!keeps(m_spec, name)) beside.set(name, value);
  for (const auto& [name, value] : beside) spec.erase(name);
  fill(m_spec, spec, there == nullptr ? nullptr : there->at_pointer("/spec"));
  if (!beside.empty())
    deploy::member(deploy::member(whole, "metadata"), "annotations").set(annotation::spec, json::compact(beside));
  return whole;
}

json::Value whole(json::Value stored) {
  auto* object = stored.if_object();
  if (object == nullptr) return stored;
  if (const auto beside = kept(stored, annotation::spec)) {
    auto& spec = deploy::member(*object, "spec");
    for (const auto& [name, value] : *beside)
      if (spec.find(name) == nullptr) spec.set(name, value);
  }
  if (has_status_in_annotation(stored)) {
    if (auto status = kept(stored, annotation::status)) object->set("status", std::move(*status));
  }
  return stored;
}

json::Object stored(json::Object whole) {
  const json::Value value{whole};
  if (const auto beside = kept(value, annotation::spec)) {
    for (const auto& [name, kept_value] : *beside) deploy::member(whole, "spec").erase(name);
  }
  return whole;
}

bool has_status_in_annotation(const json::Value& object) {
  return kept(object, annotation::status).has_value();
}

}  // namespace capsule::cluster
