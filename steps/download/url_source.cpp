#include "url_source.hpp"

#include <fmt/format.h>

#include <vector>

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

void fetch_beside(const Url& url, const Digest& digest, const std::vector<std::string>& suffixes, const Order& order,
                  const Surroundings& surroundings) {
  http::RetryingClient client{surroundings.client, surroundings.retry, surroundings.timer};
  for (const auto& suffix : suffixes) {
    http::Request asked{.url = url.with_path(url.path() + suffix, url.query())};
    asked.response_limit = image::max_sibling_bytes;
    const auto response = client.send(asked);
    if (response.status >= 400 && response.status < 500 && !http::is_transient(response.status)) continue;
    http::expect_success(response, "download");
    order.store.put_sibling(digest, suffix, response.body);
  }
}

/// Signers can come later than the package: what is not in the store yet is asked for, also where the package is.
std::vector<std::string> missing_further(const fs::Path& package, const Digest& digest, const Order& order) {
  if (!order.further) return {};
  auto suffixes = order.further(package);
  std::erase_if(suffixes, [&](const std::string& suffix) {
    auto there = order.store.package(digest);
    there += suffix;
    std::error_code ignored;
    return std::filesystem::exists(there, ignored);
  });
  return suffixes;
}

Result already_there(const Url& url, const Digest& digest, const Order& order, const Surroundings& surroundings) {
  const auto package = order.store.package(digest);
  fetch_beside(url, digest, missing_further(package, digest, order), order, surroundings);
  return {digest, package, true};
}

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
    std::vector<std::string> suffixes{image::sibling_suffixes.begin(), image::sibling_suffixes.end()};
    for (auto& suffix : missing_further(m_partial.path(), digest, m_order)) suffixes.push_back(std::move(suffix));
    fetch_beside(m_url, digest, suffixes, m_order, m_surroundings);
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
    if (m_unchanged) return already_there(m_url, *m_partial.last_digest(), m_order, m_surroundings);
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
  if (order.wanted && order.store.has(*order.wanted)) return already_there(url, *order.wanted, order, surroundings);
  return Transfer{url, order, surroundings}.run();
}

}  // namespace download
