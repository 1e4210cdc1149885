#include "kube/event_stream.hpp"

#include "core/error.hpp"
#include "kube/client.hpp"

namespace capsule::kube {

void LineSplitter::write(ByteView bytes) {
  auto text = as_text(bytes);
  for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    m_rest += text.substr(0, end);
    text.remove_prefix(end + 1);
    const auto line = std::exchange(m_rest, {});
    if (!line.empty()) m_on_line(line);
  }
  m_rest += text;
  if (m_rest.size() > m_limit) {
    throw Error{ErrorKind::invalid_input, "the cluster's watch has a line of more than " + human_size(m_limit)};
  }
}

WatchEvent read_watch_event(std::string_view line) {
  constexpr std::string_view message = "the cluster's watch gives something that is no event";
  try {
    auto value = parse_object(line, "event");
    auto* event = value.if_object();
    auto* type = event == nullptr ? nullptr : event->find("type");
    auto* object = event == nullptr ? nullptr : event->find("object");
    if (type != nullptr && type->if_string() != nullptr && object != nullptr && object->is_object())
      return {*type->if_string(), std::move(*object)};
  } catch (const Error&) {  // NOLINT(bugprone-empty-catch): an object's content does not belong into a message
  }
  throw Error{ErrorKind::unavailable, std::string{message}};
}

std::string version_of(const json::Value& object) {
  const auto* found = object.at_pointer("/metadata/resourceVersion");
  return found == nullptr || found->if_string() == nullptr ? std::string{} : *found->if_string();
}

}  // namespace capsule::kube
