#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/digest.hpp"
#include "core/url.hpp"
#include "fs/fd.hpp"

namespace download {

/// What is known of a resource: from its last answer.
struct Validators {
  std::string etag;           ///< as sent, quotes included; may be weak (W/…) or empty
  std::string last_modified;  ///< as sent, or empty
  std::optional<std::uint64_t> size;

  /// What If-Range may carry (RFC 9110 §13.1.5): a strong ETag, else Last-Modified; empty: nothing.
  [[nodiscard]] std::string for_range() const;
};

/// A download that may be in progress, and what is remembered of it, in `<folder>/<sha256 of what it is of>.part` and
/// `.json`: a new process goes on where a killed one was. Locked against others while it lives.
class PartialFile {
 public:
  /// Creates it where there is none. Error busy when another process downloads the same URL for longer than a moment.
  PartialFile(const capsule::fs::Path& folder, const capsule::Url& url);
  /// The same of what has no URL: `what` names it, in messages too.
  PartialFile(const capsule::fs::Path& folder, const std::string& what);
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;
  /// An empty one is removed.
  ~PartialFile();

  [[nodiscard]] const capsule::fs::Path& path() const noexcept { return m_data; }
  [[nodiscard]] std::uint64_t size() const noexcept { return m_size; }
  [[nodiscard]] const Validators& validators() const noexcept { return m_validators; }
  /// What the URL gave when it was last downloaded whole.
  [[nodiscard]] const std::optional<capsule::Digest>& last_digest() const noexcept { return m_last_digest; }

  /// Gives what is there to `sink`, from the front.
  void read_into(capsule::Sink& sink) const;
  /// Forgets what is there; the next bytes are those of a resource with these validators.
  void begin_anew(Validators validators);
  void append(capsule::ByteView bytes);
  /// Makes all of it durable.
  void sync();
  /// The file was moved away: remembers what it was.
  void finished(const capsule::Digest& digest);
  /// Removes all traces.
  void discard() noexcept;

 private:
  PartialFile(const capsule::fs::Path& folder, std::string_view key, std::string label);
  void open_and_lock();
  void load_state();
  void save_state() const;
  void truncate(std::uint64_t size);

  capsule::fs::Path m_data;
  capsule::fs::Path m_state;
  std::string m_url;
  capsule::fs::Fd m_fd;
  std::uint64_t m_size = 0;
  std::uint64_t m_synced = 0;
  Validators m_validators;
  std::optional<capsule::Digest> m_last_digest;
};

}  // namespace download
