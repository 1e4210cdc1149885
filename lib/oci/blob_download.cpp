#include "oci/blob_download.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <thread>

#include "core/error.hpp"
#include "core/pushed_source.hpp"
#include "crypto/hash.hpp"
#include "http/content_range.hpp"
#include "oci/registry_error.hpp"

namespace capsule::oci {

namespace {

/// How much a try must bring for the count of tries to begin anew.
constexpr std::uint64_t worthwhile = std::uint64_t{1} << 20U;

/// What a blob may be ahead of its reader.
constexpr std::size_t buffer_bytes = std::size_t{1} << 20U;

/// Thrown through the client: the answer is not of the range that was asked for.
struct WrongRange {};

class Download {
 public:
  Download(http::Client& client, const Url& url, const Descriptor& blob, Sink& sink, const DownloadSettings& settings)
      : m_client(client),
        m_url(url),
        m_blob(blob),
        m_sink(sink),
        m_check_digest(settings.check_digest && settings.have == 0),
        m_tries(settings.retry, settings.timer),
        m_hasher(blob.digest.algorithm() == "sha512" ? crypto::HashAlgorithm::sha512 : crypto::HashAlgorithm::sha256),
        m_received(settings.have) {}

  void run() {
    while (!m_complete) {
      const auto before = m_received;
      try {
        receive();
      } catch (const WrongRange&) {
        leave_ranges();
      } catch (const http::TransportError&) {
        if (m_received >= before + worthwhile) m_tries.begin_anew();
        if (m_received == m_blob.size) break;  // all is here, whatever became of the line
        if (!m_tries.wait()) throw;
      }
    }
    if (m_check_digest && m_hasher.finish() != m_blob.digest) fail("has another content");
  }

 private:
  [[noreturn]] void fail(std::string_view what) const {
    throw Error{ErrorKind::verification_failed,
                fmt::format("the blob {} from {} {}", m_blob.digest.text(), m_url.loggable(), what)};
  }

  /// A registry that answers a range with other bytes is asked for all of it, once.
  void leave_ranges() {
    if (!m_use_ranges) fail("comes in other pieces than were asked for");
    m_use_ranges = false;
  }

  void receive() {
    http::Request request{.url = m_url, .time_limit = std::chrono::milliseconds{0}};
    request.headers.add("Accept", "*/*");
    if (m_received > 0 && m_use_ranges) request.headers.add("Range", fmt::format("bytes={}-", m_received));
    request.response_limit = std::numeric_limits<std::uint64_t>::max();
    FunctionSink taking{[this](ByteView bytes) { take(bytes); }};
    request.open_sink = [&](const http::Head& head) -> Sink& {
      begin(head);
      return taking;
    };
    const auto before = m_received;
    const auto response = m_client.send(request);
    if (response.status == 200 || response.status == 206) {
      m_complete = m_received == m_blob.size;
      // An answer that is whole and too short: there may be more where it ends.
      if (!m_complete && m_received == before)
        fail(fmt::format("has {} bytes, {} are promised", m_received, m_blob.size));
      return;
    }
    if (response.status == 416 && m_received > 0) return leave_ranges();
    if (http::is_transient(response.status) && m_tries.wait(http::retry_after(response.headers, now()))) return;
    expect_registry_success(response, "download a blob");
    throw Error{ErrorKind::invalid_input,
                fmt::format("{} answers {}, which was not asked for", response.url.loggable(), response.status)};
  }

  /// Judges the head of a 2xx, before any byte of its body.
  void begin(const http::Head& head) {
    if (const auto* encoding = head.headers.find("Content-Encoding"); encoding != nullptr && *encoding != "identity") {
      throw Error{ErrorKind::invalid_input,
                  fmt::format("{} answers with Content-Encoding '{}', which was not asked for", m_url.loggable(),
                              printable(*encoding))};
    }
    if (head.status == 206) {
      const auto* text = head.headers.find("Content-Range");
      const auto range = http::parse_content_range(text == nullptr ? std::string_view{} : *text);
      if (!range || !range->first || *range->first > m_received) throw WrongRange{};
      if (range->total && *range->total != m_blob.size)
        fail(fmt::format("has {} bytes, {} are promised", *range->total, m_blob.size));
      m_skip = m_received - *range->first;
      return;
    }
    if (head.status != 200) {
      throw Error{ErrorKind::invalid_input,
                  fmt::format("{} answers {}, which was not asked for", m_url.loggable(), head.status)};
    }
    if (const auto length = head.content_length(); length && *length != m_blob.size)
      fail(fmt::format("has {} bytes, {} are promised", *length, m_blob.size));
    m_skip = m_received;
  }

  void take(ByteView bytes) {
    const auto known = static_cast<std::size_t>(std::min<std::uint64_t>(m_skip, bytes.size()));
    m_skip -= known;
    bytes = bytes.subspan(known);
    if (bytes.empty()) return;
    if (bytes.size() > m_blob.size - m_received) fail(fmt::format("has more than its {} bytes", m_blob.size));
    if (m_check_digest) m_hasher.update(bytes);
    m_received += bytes.size();
    m_sink.write(bytes);
  }

  http::Client& m_client;
  const Url& m_url;
  const Descriptor& m_blob;
  Sink& m_sink;
  bool m_check_digest;
  http::Tries m_tries;
  crypto::Hasher m_hasher;
  std::uint64_t m_received;  ///< bytes that went to the sink, or need not
  std::uint64_t m_skip = 0;  ///< bytes of the answer that are there already
  bool m_use_ranges = true;
  bool m_complete = false;
};

/// Thrown through the client: the reader wants no more.
struct Stopped {};

class Stream final : public Source {
 public:
  Stream(const MakeClient& make_client, Url url, Descriptor blob, DownloadSettings settings)
      : m_url(std::move(url)),
        m_blob(std::move(blob)),
        m_settings(std::move(settings)),
        m_thread([this, client = make_client()] { download(*client); }) {}
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() override {
    m_pipe.stop_reading();
    m_thread.join();
  }

  std::size_t read(MutableBytes buffer) override { return buffer.empty() ? 0 : m_pipe.read(buffer); }

 private:
  void download(http::Client& client) noexcept {
    try {
      FunctionSink into{[this](ByteView bytes) {
        m_pipe.write(bytes);
        if (m_pipe.is_stopped()) throw Stopped{};
      }};
      download_blob(client, m_url, m_blob, into, m_settings);
      m_pipe.finish();
    } catch (...) {
      m_pipe.abandon(std::current_exception());
    }
  }

  Url m_url;
  Descriptor m_blob;
  DownloadSettings m_settings;
  PushedSource m_pipe{buffer_bytes};
  std::thread m_thread;  ///< last: it uses all the others
};

}  // namespace

void download_blob(http::Client& client, const Url& url, const Descriptor& blob, Sink& sink,
                   const DownloadSettings& settings) {
  Download{client, url, blob, sink, settings}.run();
}

std::unique_ptr<Source> open_download(const MakeClient& make_client, const Url& url, const Descriptor& blob,
                                      const DownloadSettings& settings) {
  return std::make_unique<Stream>(make_client, url, blob, settings);
}

}  // namespace capsule::oci
