#include "url_source.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "partial_file.hpp"
#include "ranges.hpp"

namespace download {

using namespace capsule;

namespace {

/// How much a try must bring for the count of tries to begin anew.
constexpr std::uint64_t worthwhile = std::uint64_t{1} << 20U;
constexpr int max_starts = 4;

/// Thrown through the client: the answer is of other bytes than those that are here.
struct StartOver {};

/// One package on its way from a URL into a partial file.
class Transfer {
 public:
  Transfer(const Url& url, const Order& order, const Surroundings& surroundings)
      : m_url(url), m_order(order), m_surroundings(surroundings), m_partial(order.store.root() / "partial", url) {}

  Result run();

 private:
  void resume();
  void receive();
  bool try_once(http::Tries& tries);
  Sink& open_sink(const http::Head& head);
  void take(ByteView bytes);
  [[nodiscard]] http::Request request() const;
  [[nodiscard]] bool is_conditional() const;
  void fetch_siblings(const Digest& digest) const;
  [[nodiscard]] Digest digest_of_all();
  Result finish(const Digest& digest);
  void start_over();

  const Url& m_url;
  const Order& m_order;
  const Surroundings& m_surroundings;
  PartialFile m_partial;
  crypto::Hasher m_hasher;
  int m_starts = 1;
  bool m_complete = false;
  bool m_pieced = false;     ///< of more than one answer
  bool m_unchanged = false;  ///< 304: the store has it
  FunctionSink m_sink{[this](ByteView bytes) { take(bytes); }};
};

/// Whether it was downloaded before and the store still has it.
bool Transfer::is_conditional() const {
  const auto& last = m_partial.last_digest();
  return last && m_partial.size() == 0 && m_order.store.has(*last) && (!m_order.wanted || *m_order.wanted == *last);
}

http::Request Transfer::request() const {
  http::Request request{.url = m_url, .time_limit = std::chrono::milliseconds{0}};
  request.headers.add("Accept", "*/*");
  request.response_limit = m_order.max_bytes - m_partial.size();
  const auto& validators = m_partial.validators();
  if (is_conditional()) {
    if (!validators.etag.empty()) request.headers.add("If-None-Match", validators.etag);
    if (!validators.last_modified.empty()) request.headers.add("If-Modified-Since", validators.last_modified);
  } else if (m_partial.size() > 0) {
    request.headers.add("Range", fmt::format("bytes={}-", m_partial.size()));
    const auto condition = validators.for_range();
    if (!condition.empty()) request.headers.add("If-Range", condition);
  }
  return request;
}

/// Decides whether what a former try left can be used, and hashes it.
void Transfer::resume() {
  if (m_partial.size() == 0) return;
  const auto& validators = m_partial.validators();
  // Without a validator only the digest can tell whether the halves fit.
  const bool usable = !validators.for_range().empty() || m_order.wanted;
  if (!usable || m_partial.size() > m_order.max_bytes) return m_partial.begin_anew({});
  m_surroundings.progress.begin("hashing", m_partial.size());
  FunctionSink sink{[this](ByteView bytes) {
    m_hasher.update(bytes);
    m_surroundings.progress.advance(bytes.size());
  }};
  m_partial.read_into(sink);
  m_complete = validators.size == m_partial.size();
}

void Transfer::start_over() {
  if (++m_starts > max_starts)
    throw Error{ErrorKind::unavailable, fmt::format("{} changes all the time", m_url.loggable())};
  m_partial.begin_anew({});
  m_hasher = crypto::Hasher{};
}

Sink& Transfer::open_sink(const http::Head& head) {
  const auto offset = m_partial.size();
  if (head.status != 200 && (head.status != 206 || offset == 0)) {
    throw Error{ErrorKind::invalid_input,
                fmt::format("{} answers {} to a plain request", m_url.loggable(), head.status)};
  }
  if (const auto* encoding = head.headers.find("Content-Encoding"); encoding != nullptr && *encoding != "identity") {
    // None was asked for: what would be kept is not what the server has.
    throw Error{ErrorKind::invalid_input,
                fmt::format("{} answers with Content-Encoding '{}', which was not asked for: have it served as it is",
                            m_url.loggable(), printable(*encoding))};
  }
  if (judge(head, offset, m_partial.validators()) == Verdict::start_over) throw StartOver{};
  auto validators = validators_of(head);
  if (head.status == 200) {
    m_hasher = crypto::Hasher{};
    m_partial.begin_anew(std::move(validators));
  }
  m_pieced = head.status == 206;
  const auto total = m_partial.validators().size.value_or(0);
  m_surroundings.progress.begin("downloading", total);
  m_surroundings.progress.advance(m_partial.size());
  return m_sink;
}

void Transfer::take(ByteView bytes) {
  if (m_partial.size() == 0) check_magic(bytes, m_url.loggable());
  m_hasher.update(bytes);
  m_partial.append(bytes);
  m_surroundings.progress.advance(bytes.size());
}

/// One request. True: all is here.
bool Transfer::try_once(http::Tries& tries) {
  auto asked = request();
  asked.open_sink = [this](const http::Head& head) -> Sink& { return open_sink(head); };
  const auto offset = m_partial.size();
  const bool conditional = is_conditional();
  const auto response = m_surroundings.client.send(asked);
  if (response.status == 200 || response.status == 206) return true;
  if (response.status == 304 && conditional) return m_unchanged = true;
  if (response.status == 416 && offset > 0) {
    if (judge({response.status, response.headers}, offset, m_partial.validators()) == Verdict::complete) return true;
    start_over();
    return false;
  }
  if (http::is_transient(response.status) && tries.wait(http::retry_after(response.headers, now()))) return false;
  http::expect_success(response, "download");
  throw Error{ErrorKind::invalid_input,
              fmt::format("{} answers {} to a plain request", m_url.loggable(), response.status)};
}

void Transfer::receive() {
  http::Tries tries{m_surroundings.retry, m_surroundings.timer};
  while (!m_complete) {
    const auto before = m_partial.size();
    try {
      m_complete = try_once(tries);
    } catch (const StartOver&) {
      start_over();
    } catch (const http::TransportError&) {
      if (m_partial.size() >= before + worthwhile) tries.begin_anew();
      if (!tries.wait()) throw;
    }
  }
}

void Transfer::fetch_siblings(const Digest& digest) const {
  http::RetryingClient client{m_surroundings.client, m_surroundings.retry, m_surroundings.timer};
  for (const auto suffix : image::sibling_suffixes) {
    http::Request asked{.url = m_url.with_path(m_url.path() + std::string{suffix}, m_url.query())};
    asked.response_limit = image::max_sibling_bytes;
    const auto response = client.send(asked);
    if (response.status >= 400 && response.status < 500 && !http::is_transient(response.status)) continue;
    http::expect_success(response, "download");
    m_order.store.put_sibling(digest, suffix, response.body);
  }
}

Digest Transfer::digest_of_all() {
  if (m_partial.size() == 0) check_magic({}, m_url.loggable());
  const auto expected = m_partial.validators().size;
  if (expected && *expected != m_partial.size()) {
    throw Error{ErrorKind::invalid_input,
                fmt::format("{} gave another number of bytes than it announced", m_url.loggable())};
  }
  return m_hasher.finish();
}

Result Transfer::finish(const Digest& digest) {
  check_digest(m_order, digest, m_url.loggable());
  m_order.store.prepare(digest);
  const bool there = m_order.store.has(digest);
  try {
    fetch_siblings(digest);
    m_partial.sync();
    m_order.store.adopt(digest, m_partial.path());
  } catch (...) {
    m_order.store.discard_unfinished(digest);
    throw;
  }
  m_partial.finished(digest);
  return {digest, m_order.store.package(digest), there};
}

Result Transfer::run() {
  try {
    resume();
    receive();
    if (m_unchanged) {
      const auto digest = *m_partial.last_digest();
      return {digest, m_order.store.package(digest), true};
    }
    auto digest = digest_of_all();
    if (m_pieced && m_order.wanted && digest != *m_order.wanted) {
      // The pieces may be of two versions; only a whole answer can be blamed.
      m_complete = false;
      start_over();
      receive();
      digest = digest_of_all();
    }
    auto result = finish(digest);
    m_surroundings.progress.end();
    return result;
  } catch (const Error& error) {
    // Refused for what it is: nothing is kept. A dead line, a full disk: the next try goes on from here.
    if (!retry_helps(error.kind())) m_partial.discard();
    throw;
  }
}

}  // namespace

Result fetch_url(const Url& url, const Order& order, const Surroundings& surroundings) {
  if (order.wanted && order.store.has(*order.wanted)) {
    return {*order.wanted, order.store.package(*order.wanted), true};
  }
  return Transfer{url, order, surroundings}.run();
}

}  // namespace download
