#include "cluster/events.hpp"

#include "cluster/node.hpp"
#include "core/error.hpp"
#include "core/time.hpp"
#include "log/log.hpp"

namespace capsule::cluster {

namespace {

constexpr std::size_t max_note = 1000;  // bytes; the API server takes 1024

/// metav1.Time wants whole seconds.
std::string whole_seconds() {
  auto text = format_time(now());
  text.replace(text.find('.'), std::string::npos, "Z");
  return text;
}

}  // namespace

void tell(kube::Client& client, const json::Value& object, EventType type, const std::string& reason,
          const std::string& note, const std::string& component) {
  const auto ns = text_at(object, "/metadata/namespace");
  const auto name = text_at(object, "/metadata/name");
  const auto time = whole_seconds();
  const json::Object event{{"apiVersion", "v1"},
                           {"kind", "Event"},
                           {"metadata", json::Object{{"generateName", name + "."}, {"namespace", ns}}},
                           {"type", type == EventType::normal ? "Normal" : "Warning"},
                           {"reason", reason},
                           {"message", printable(note, max_note)},
                           {"source", json::Object{{"component", component}}},
                           {"firstTimestamp", time},
                           {"lastTimestamp", time},
                           {"count", 1},
                           {"involvedObject", json::Object{{"apiVersion", text_at(object, "/apiVersion")},
                                                           {"kind", text_at(object, "/kind")},
                                                           {"namespace", ns},
                                                           {"name", name},
                                                           {"uid", text_at(object, "/metadata/uid")}}}};
  try {
    client.create({kube::Resource{"", "v1", "events"}, ns, name}, json::Value{event});
  } catch (const Error& error) {
    log::debug("no event is written: " + error.message());
  }
}

}  // namespace capsule::cluster
