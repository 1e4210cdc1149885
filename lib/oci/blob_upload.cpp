#include "oci/blob_upload.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "core/error.hpp"
#include "oci/hashed_content.hpp"
#include "oci/registry_error.hpp"
#include "oci/registry_url.hpp"
#include "oci/upload_record.hpp"

namespace capsule::oci {

namespace {

/// An answer after which the same may succeed: what it said becomes the error when no try is left.
struct TryAgain {
  http::Response response;
  std::string_view what;
  bool session_is_lost = false;
};

/// The last byte of "0-1023"; nothing where there is none of that form.
std::optional<std::uint64_t> last_byte(const http::Headers& headers) {
  const auto* text = headers.find("Range");
  if (text == nullptr) return std::nullopt;
  auto digits = std::string_view{*text};
  if (digits.starts_with("bytes=")) digits.remove_prefix(6);
  if (!digits.starts_with("0-")) return std::nullopt;
  digits.remove_prefix(2);
  std::uint64_t last = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), last);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return last;
}

std::uint64_t least_chunk(const http::Headers& headers) {
  const auto* text = headers.find("OCI-Chunk-Min-Length");
  std::uint64_t least = 0;
  if (text != nullptr) std::from_chars(text->data(), text->data() + text->size(), least);
  return least;
}

std::uint64_t chunk_of(std::uint64_t size, const UploadSettings& settings) {
  constexpr std::uint64_t parts = 7;
  return std::max(settings.chunk, std::min(settings.largest_chunk, (size + parts - 1) / parts));
}

/// One blob on its way.
class Upload {
 public:
  Upload(http::Client& client, const UploadPlace& place, const BlobContent& content, const UploadSettings& settings)
      : m_client(client),
        m_retrying(client, settings.retry, settings.timer),
        m_place(place),
        m_settings(settings),
        m_content(content),
        m_size(content.size),
        m_in_chunks(content.size > settings.one_put),
        m_wanted_chunk(chunk_of(content.size, settings)),
        m_record(m_in_chunks ? settings.records : fs::Path{}, place.uploads, content.digest),
        m_tries(settings.retry, settings.timer) {}

  Uploaded run() {
    if (m_size == 0) m_content.check_whole();
    if (is_there()) return finish(Uploaded::already_there);
    if (m_record.location()) {
      m_location = m_record.location();
      recover();
    }
    while (true) {
      try {
        if (const auto done = attempt()) return finish(*done);
        continue;
      } catch (const TryAgain& failure) {
        if (failure.session_is_lost) m_location.reset();
        if (!m_tries.wait(http::retry_after(failure.response.headers, now()))) give_up(failure);
      } catch (const http::TransportError& failure) {
        if (!m_tries.wait()) {
          if (failure.sent() == http::TransportError::Sent::maybe) leave();
          throw;
        }
      } catch (...) {
        abandon();
        throw;
      }
      if (is_there()) return finish(Uploaded::sent);  // done, and the answer was lost
      recover();
    }
  }

 private:
  Uploaded finish(Uploaded how) {
    m_record.forget();
    return how;
  }

  /// No try is left: a session that nobody will go on with is ended.
  void leave() noexcept {
    if (!m_record.location()) abandon();
  }

  [[noreturn]] void give_up(const TryAgain& failure) {
    leave();
    expect_registry_success(failure.response, failure.what);
    throw Error{ErrorKind::unavailable,
                fmt::format("{}: {} does not go on", failure.what, failure.response.url.loggable())};
  }

  static http::Request request(http::Method method, const Url& url) {
    http::Request out{.method = method, .url = url};
    out.redirects = method == http::Method::head ? http::Redirects::follow : http::Redirects::give_back;
    return out;
  }

  bool is_there() {
    const auto response = m_retrying.send(request(http::Method::head, m_place.blob));
    if (response.status == 404) return false;
    expect_registry_success(response, "look for a blob");
    const auto length = http::Head{response.status, response.headers}.content_length();
    return !length || *length == m_size;
  }

  /// Begins a session, unless a mount makes it needless.
  bool begin() {
    while (m_next_mount < m_place.mount_from.size()) {
      if (const auto response = mount(m_place.mount_from[m_next_mount++])) {
        if (response->status == 201) return true;
        if (response->status == 202) return begin_with(*response);
      }
    }
    const auto response = m_retrying.send(request(http::Method::post, m_place.uploads));
    if (response.status == 202) return begin_with(response);
    // A POST is not repeated by itself; a session more that nobody uses does no harm.
    if (http::is_transient(response.status)) throw TryAgain{response, "begin an upload"};
    refuse(response, "begin an upload");
  }

  /// A source that may not be read must not forbid what needs no source.
  std::optional<http::Response> mount(const std::string& from) {
    const auto url = with_query(with_query(m_place.uploads, "mount", m_content.digest().text()), "from", from);
    try {
      return m_retrying.send(request(http::Method::post, url));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::denied) throw;
      return std::nullopt;
    }
  }

  bool begin_with(const http::Response& response) {
    follow(response);
    m_sent = 0;
    return false;
  }

  /// Throws for what is no success.
  [[noreturn]] static void refuse(const http::Response& response, std::string_view what) {
    expect_registry_success(response, what);
    throw Error{ErrorKind::invalid_input, fmt::format("{}: {} answers {}, which is not asked for", what,
                                                      response.url.loggable(), response.status)};
  }

  void follow(const http::Response& response) {
    const auto* location = response.headers.find("Location");
    if (location == nullptr) {
      if (m_location) return;
      throw Error{ErrorKind::invalid_input, fmt::format("{} does not say where to upload to", response.url.loggable())};
    }
    m_location = upload_location(response.url, *location);
    m_chunk = std::max(m_wanted_chunk, least_chunk(response.headers));
  }

  /// What there is to do from here on; nothing where an answer says to go on otherwise.
  std::optional<Uploaded> attempt() {
    if (!m_location && begin()) return Uploaded::mounted;
    if (!m_in_chunks) return send_whole();
    while (m_sent < m_size) {
      if (!send_chunk()) return std::nullopt;
    }
    return close();
  }

  http::Request body_request(http::Method method, const Url& url, std::uint64_t from, std::uint64_t size) {
    auto out = request(method, url);
    out.headers.add("Content-Type", "application/octet-stream");
    out.streamed_body = http::StreamedBody{size, [this, from, size] { return m_content.open(from, size); }};
    out.time_limit = std::chrono::milliseconds{0};  // a stalled line ends it, not a large blob
    return out;
  }

  std::optional<Uploaded> send_whole() {
    const auto url = with_query(*m_location, "digest", m_content.digest().text());
    const auto response = m_client.send(body_request(http::Method::put, url, 0, m_size));
    if (response.status == 201 || response.status == 204) return Uploaded::sent;
    judge(response, "upload a blob");
    refuse(response, "upload a blob");
  }

  /// True: the chunk is there. False: the registry wants none, or begins anew.
  bool send_chunk() {
    const auto size = std::min(m_chunk, m_size - m_sent);
    auto chunk = body_request(http::Method::patch, *m_location, m_sent, size);
    chunk.headers.add("Content-Range", fmt::format("{}-{}", m_sent, m_sent + size - 1));
    const auto response = m_client.send(chunk);
    if (response.status != 202 && response.status != 204) {
      if (response.status == 413 && m_chunk > m_settings.chunk) return send_less(response);
      if (m_sent == 0 && refuses_chunks(response.status)) return send_whole_instead();
      judge(response, "upload a blob's part");
      refuse(response, "upload a blob's part");
    }
    follow(response);
    m_sent = sent_after(response, m_sent + size);
    m_record.save(*m_location);
    if (m_sent > m_furthest) {
      m_furthest = m_sent;
      m_tries.begin_anew();
    }
    return true;
  }

  /// What the registry says that it has; it may have taken less than was sent, but never more.
  std::uint64_t sent_after(const http::Response& response, std::uint64_t expected) {
    const auto last = last_byte(response.headers);
    if (!last || *last + 1 >= expected) return expected;
    if (*last + 1 <= m_sent) throw TryAgain{response, "upload a blob's part"};
    return *last + 1;
  }

  static bool refuses_chunks(int status) {
    constexpr std::array<int, 6> refusals{400, 405, 411, 415, 422, 501};
    return std::find(refusals.begin(), refusals.end(), status) != refusals.end();
  }

  /// A part is too large for what stands before the registry: from the beginning, in the smallest ones.
  bool send_less(const http::Response& response) {
    m_wanted_chunk = m_settings.chunk;
    if (std::max(m_wanted_chunk, least_chunk(response.headers)) >= m_chunk) refuse(response, "upload a blob's part");
    abandon();
    return false;
  }

  bool send_whole_instead() {
    abandon();
    m_in_chunks = false;
    return false;
  }

  std::optional<Uploaded> close() {
    m_content.check_whole();
    auto put = request(http::Method::put, with_query(*m_location, "digest", m_content.digest().text()));
    put.time_limit = std::chrono::minutes{10};  // a registry may read all of it again
    const auto response = m_client.send(put);
    if (response.status == 201 || response.status == 204) return Uploaded::sent;
    judge(response, "end an upload");
    if (response.status == 400 && !m_began_anew) {
      // What lies there is not what was sent: by a former process, or over a bad line. Once more from the beginning.
      m_began_anew = true;
      abandon();
      return std::nullopt;
    }
    refuse(response, "end an upload");
  }

  /// Throws TryAgain for an answer to a part of an upload after which it may go on.
  static void judge(const http::Response& response, std::string_view what) {
    if (response.status == 404 || response.status == 410) throw TryAgain{response, what, true};
    if (response.status == 416 || http::is_transient(response.status)) throw TryAgain{response, what};
  }

  /// Asks where the upload stands. A session that only a whole PUT was for is of no use any more.
  void recover() {
    if (!m_location) return;
    if (!m_in_chunks) return abandon();
    const auto response = m_retrying.send(request(http::Method::get, *m_location));
    if (response.status == 204 || response.status == 200) {
      follow(response);
      const auto last = last_byte(response.headers);
      // "0-0" is said of nothing and of one byte.
      m_sent = last && *last > 0 && *last < m_size ? *last + 1 : 0;
      if (last && (m_sent != 0 || *last == 0)) return;
    }
    abandon();
  }

  /// Ends a session that is of no use; that it cannot be ended changes nothing.
  void abandon() noexcept {
    m_record.forget();
    m_sent = 0;
    if (!m_location) return;
    try {
      m_client.send(request(http::Method::del, *m_location));
    } catch (...) {
    }
    m_location.reset();
  }

  http::Client& m_client;
  http::RetryingClient m_retrying;
  const UploadPlace& m_place;
  const UploadSettings& m_settings;
  HashedContent m_content;
  std::uint64_t m_size;
  bool m_in_chunks;
  std::uint64_t m_wanted_chunk;
  UploadRecord m_record;
  http::Tries m_tries;
  std::optional<Url> m_location;
  std::size_t m_next_mount = 0;
  std::uint64_t m_chunk = 0;
  std::uint64_t m_sent = 0;
  std::uint64_t m_furthest = 0;
  bool m_began_anew = false;
};

}  // namespace

Url upload_location(const Url& answered, const std::string& location) {
  try {
    return answered.resolve(location);
  } catch (const Error&) {
    throw Error{ErrorKind::invalid_input,
                fmt::format("{} sends an upload on to what is no usable URL", answered.loggable())};
  }
}

Uploaded upload_blob(http::Client& client, const UploadPlace& place, const BlobContent& content,
                     const UploadSettings& settings) {
  return Upload{client, place, content, settings}.run();
}

}  // namespace capsule::oci
