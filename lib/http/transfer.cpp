#include "http/transfer.hpp"

#include <fmt/format.h>

#include <charconv>

namespace capsule::http {

namespace {

constexpr std::size_t error_body_limit = std::size_t{64} << 10U;

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

[[noreturn]] void malformed(const Url& url, std::string_view reason) {
  throw Error{ErrorKind::invalid_input, fmt::format("{} answers with {}", url.loggable(), reason)};
}

int parse_status(std::string_view line, const Url& url) {
  const auto space = line.find(' ');
  const auto digits = space == std::string_view::npos ? std::string_view{} : line.substr(space + 1, 3);
  int status = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), status);
  if (error != std::errc{} || end != digits.data() + 3 || status < 100) malformed(url, "no HTTP status");
  return status;
}

}  // namespace

bool Receiver::header_line(std::string_view line) noexcept {
  try {
    read_header_line(line);
    return true;
  } catch (...) {
    m_failure = std::current_exception();
    return false;
  }
}

void Receiver::read_header_line(std::string_view line) {
  m_header_bytes += line.size();
  if (m_header_bytes > m_header_limit)
    malformed(m_request.url, fmt::format("more than {} of headers", human_size(m_header_limit)));
  if (m_body_began) return;  // a trailer
  if (line.starts_with("HTTP/")) {
    m_head = Head{parse_status(line, m_request.url), {}};
    m_head_is_whole = false;
    return;
  }
  const auto text = trimmed(line);
  if (text.empty()) {
    m_head_is_whole = m_head.status >= 200;
    return;
  }
  if (m_head_is_whole) return;
  const auto colon = text.find(':');
  if (line.front() == ' ' || line.front() == '\t' || colon == std::string_view::npos)
    malformed(m_request.url, "a malformed header");
  try {
    m_head.headers.add(text.substr(0, colon), trimmed(text.substr(colon + 1)));
  } catch (const Error&) {
    malformed(m_request.url, "a malformed header");
  }
}

bool Receiver::body(ByteView bytes) noexcept {
  try {
    take(bytes);
    return !m_enough;
  } catch (...) {
    m_failure = std::current_exception();
    return false;
  }
}

void Receiver::begin_body() {
  if (m_body_began) return;
  m_body_began = true;
  if (!succeeded()) return;
  const auto length = m_head.content_length();
  if (m_request.method != Method::head && length && *length > m_request.response_limit) {
    malformed(m_request.url, fmt::format("{}, more than the {} that are accepted", human_size(*length),
                                         human_size(m_request.response_limit)));
  }
  if (m_request.open_sink) m_sink = &m_request.open_sink(m_head);
}

void Receiver::take(ByteView bytes) {
  begin_body();
  if (!succeeded()) {
    const auto room = error_body_limit - m_text.size();
    m_text += as_text(bytes.first(std::min(room, bytes.size())));
    m_enough = bytes.size() > room;
    return;
  }
  m_received += bytes.size();
  if (m_received > m_request.response_limit) {
    malformed(m_request.url, fmt::format("more than the {} that are accepted", human_size(m_request.response_limit)));
  }
  if (m_sink != nullptr)
    m_sink->write(bytes);
  else
    m_text += as_text(bytes);
}

Response Receiver::finish() {
  begin_body();
  return {m_head.status, std::move(m_head.headers), std::move(m_text), m_request.url};
}

}  // namespace capsule::http
