#include "kube/lease.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "core/time.hpp"
#include "json/cursor.hpp"
#include "json/lookup.hpp"
#include "kube/event_stream.hpp"
#include "log/log.hpp"

namespace capsule::kube {

namespace {

constexpr std::chrono::milliseconds look_again{2000};

/// metav1.MicroTime wants exactly six decimals.
std::string micro_time() {
  auto text = format_time(capsule::now());
  text.insert(text.size() - 1, "000");
  return text;
}

std::int64_t number_at(const json::Value& object, std::string_view pointer) {
  const auto* found = object.at_pointer(pointer);
  return found == nullptr || !found->is_number() ? 0 : json::to_int64(*found->if_number());
}

json::Array owners_in(const json::Value& object) {
  const auto* found = object.at_pointer("/metadata/ownerReferences");
  return found == nullptr || found->if_array() == nullptr ? json::Array{} : *found->if_array();
}

bool are_same(const json::Array& some, const json::Array& others) {
  return std::equal(
      some.begin(), some.end(), others.begin(), others.end(),
      [](const json::Value& a, const json::Value& b) { return text_at(a, "/uid") == text_at(b, "/uid"); });
}

/// It is an int32, and the last of them (which somebody wrote there) has none after it.
std::int64_t next(std::int64_t transitions) {
  return transitions < 0 || transitions >= std::numeric_limits<std::int32_t>::max() ? 1 : transitions + 1;
}

}  // namespace

LeaseRecord read_lease(const json::Value& object) {
  LeaseRecord out{text_at(object, "/spec/holderIdentity"),
                  number_at(object, "/spec/leaseTransitions"),
                  std::chrono::seconds{number_at(object, "/spec/leaseDurationSeconds")},
                  {},
                  version_of(object),
                  owners_in(object)};
  const auto* annotations = object.at_pointer("/metadata/annotations");
  if (annotations != nullptr && annotations->is_object()) {
    for (const auto& [key, value] : *annotations->if_object()) {
      if (value.if_string() != nullptr) out.annotations.emplace(key, *value.if_string());
    }
  }
  return out;
}

Lease::Lease(Client& client, Name name, std::string holder, std::chrono::seconds duration)
    : m_client(client), m_name(std::move(name)), m_holder(std::move(holder)), m_duration(duration) {}

void Lease::observe(LeaseRecord record) {
  if (record.resource_version == m_record.resource_version) return;
  m_record = std::move(record);
  m_observed = now();
}

bool Lease::is_free() const {
  if (m_record.holder.empty() || m_record.holder == m_holder) return true;
  const auto duration = m_record.duration.count() > 0 ? m_record.duration : m_duration;
  return now() - m_observed > duration;
}

json::Value Lease::object(const std::string& holder, std::chrono::seconds duration, std::int64_t transitions,
                          const std::map<std::string, std::string>& annotations) const {
  json::Object metadata{{"name", m_name.name}, {"namespace", m_name.ns}};
  if (!m_record.resource_version.empty()) metadata.set("resourceVersion", m_record.resource_version);
  json::Object texts;
  for (const auto& [key, value] : annotations) texts.set(key, value);
  if (!texts.empty()) metadata.set("annotations", std::move(texts));
  if (const auto& owners = m_owners ? *m_owners : m_record.owners; !owners.empty())
    metadata.set("ownerReferences", owners);
  return json::Object{{"apiVersion", "coordination.k8s.io/v1"},
                      {"kind", "Lease"},
                      {"metadata", std::move(metadata)},
                      {"spec", json::Object{{"holderIdentity", holder},
                                            {"leaseDurationSeconds", std::int64_t{duration.count()}},
                                            {"acquireTime", m_acquire_time},
                                            {"renewTime", micro_time()},
                                            {"leaseTransitions", transitions}}}};
}

/// False: somebody else was first.
bool Lease::write(const json::Value& object, const Write& how) {
  const auto began = now();
  try {
    observe(read_lease(m_record.resource_version.empty() ? m_client.create(m_name, object, how)
                                                         : m_client.replace(m_name, object, how)));
    m_renewed = began;
    return true;
  } catch (const ApiError& error) {
    // Where there was one, 404 says that it was removed; where it is to be created, that there is no such namespace.
    const bool is_removed = error.status().code == 404 && !m_record.resource_version.empty();
    if (error.kind() != ErrorKind::conflict && !is_removed) throw;
    return false;
  }
}

void Lease::look() {
  const auto found = m_client.find(m_name);
  observe(found ? read_lease(*found) : LeaseRecord{});
}

bool Lease::try_acquire(const std::map<std::string, std::string>& annotations) {
  look();
  if (!is_free()) return false;
  const bool is_ours = m_record.holder == m_holder;
  m_acquire_time = micro_time();
  m_has_it =
      write(object(m_holder, m_duration, is_ours ? m_record.transitions : next(m_record.transitions), annotations));
  if (!m_has_it) look();  // record() is to say who was first
  return m_has_it;
}

bool Lease::acquire(std::chrono::milliseconds patience, const std::map<std::string, std::string>& annotations,
                    const std::function<void()>& on_wait) {
  const auto deadline = now() + patience;
  while (!try_acquire(annotations)) {
    for (auto left = look_again; left.count() > 0; left -= look_again / 2) {
      if (now() >= deadline) return false;
      m_client.connection().timer().sleep(look_again / 2);
      if (on_wait) on_wait();
    }
  }
  return true;
}

void Lease::lose(std::string_view why) {
  m_has_it = false;
  throw Error{ErrorKind::busy, fmt::format("{} is lost: {}", text_of(m_name), why)};
}

void Lease::renew() {
  if (!m_has_it) lose("it is not held");
  // keep() tries again, and must not wait longer than the lease lasts.
  const Write soon{.once = true, .limit = m_duration / 3};
  // What has changed it, if anything has, need not have taken it.
  for (int tries = 0; tries < 3; ++tries) {
    if (write(object(m_holder, m_duration, m_record.transitions, m_record.annotations), soon)) return;
    const auto found = m_client.find(m_name);
    if (!found) lose("somebody removed it");
    observe(read_lease(*found));
    if (m_record.holder != m_holder) lose(fmt::format("'{}' holds it", printable(m_record.holder)));
  }
  lose("somebody keeps changing it");
}

bool Lease::set_owners(json::Array owners) {
  m_owners = std::move(owners);
  // Where others keep changing it, the next renewal says it.
  for (int tries = 0; tries < 3 && m_has_it && !are_same(m_record.owners, *m_owners); ++tries) {
    if (write(object(m_holder, m_duration, m_record.transitions, m_record.annotations))) continue;
    look();
    m_has_it = m_record.holder == m_holder;
  }
  return m_has_it;
}

void Lease::keep() {
  if (!m_has_it) lose("it is not held");
  const auto age = now() - m_renewed;
  if (age < m_duration / 3) return;
  try {
    renew();
  } catch (const Error& error) {
    if (!m_has_it || !retry_helps(error.kind())) throw;
    if (now() - m_renewed >= m_duration * 2 / 3) lose(error.message());
    log::warning(fmt::format("{} could not be renewed yet: {}", text_of(m_name), error.message()));
  }
}

void Lease::release() {
  if (!std::exchange(m_has_it, false)) return;
  for (int tries = 0; tries < 3 && m_record.holder == m_holder; ++tries) {
    // One second, as client-go has it: who looks at the duration alone is not kept waiting either.
    if (write(object({}, std::chrono::seconds{1}, m_record.transitions, {}))) return;
    look();
  }
}

void Lease::give_back() {
  look();
  m_has_it = m_record.holder == m_holder;
  m_acquire_time = micro_time();
  release();
}

bool Lease::is_held() const {
  return m_has_it && now() - m_renewed < m_duration;
}

}  // namespace capsule::kube
