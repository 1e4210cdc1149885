#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "core/stream.hpp"
#include "json/value.hpp"

namespace capsule::kube {

/// Cuts a stream into lines and gives each on without its end; what follows the last end is never given: a watch that
/// is cut in mid-line says it again. Error invalid_input for a line of more than `limit` bytes.
class LineSplitter final : public Sink {
 public:
  explicit LineSplitter(std::function<void(std::string_view)> on_line, std::size_t limit = std::size_t{16} << 20U)
      : m_on_line(std::move(on_line)), m_limit(limit) {}
  void write(ByteView bytes) override;

 private:
  std::function<void(std::string_view)> m_on_line;
  std::size_t m_limit;
  std::string m_rest;
};

/// One line of a watch (metav1.WatchEvent).
struct WatchEvent {
  std::string type;  ///< ADDED, MODIFIED, DELETED, BOOKMARK, ERROR
  json::Value object;
};

/// Error unavailable for what is no event: a broken stream, which another connection may mend.
WatchEvent read_watch_event(std::string_view line);
/// metadata.resourceVersion; empty where there is none.
std::string version_of(const json::Value& object);

}  // namespace capsule::kube
