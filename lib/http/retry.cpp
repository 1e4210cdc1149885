#include "http/retry.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <random>
#include <thread>

namespace capsule::http {

namespace {

constexpr std::chrono::hours longest_wait{24};

/// "Sun, 06 Nov 1994 08:49:37 GMT" (IMF-fixdate; the two obsolete forms are not read).
std::optional<Time> parse_http_date(const std::string& text) {
  static constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                           "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  unsigned day = 0;
  unsigned hour = 0;
  unsigned minute = 0;
  unsigned second = 0;
  int year = 0;
  std::array<char, 4> month{};
  int used = 0;
  // NOLINTNEXTLINE(cert-err34-c,cppcoreguidelines-pro-type-vararg)
  if (std::sscanf(text.c_str(), "%*3[A-Za-z], %2u %3s %4d %2u:%2u:%2u GMT%n", &day, month.data(), &year, &hour, &minute,
                  &second, &used) != 6 ||
      static_cast<std::size_t>(used) != text.size()) {
    return std::nullopt;
  }
  const auto* const found = std::find(months.begin(), months.end(), std::string_view{month.data()});
  const std::chrono::year_month_day date{std::chrono::year{year},
                                         std::chrono::month{static_cast<unsigned>(found - months.begin()) + 1},
                                         std::chrono::day{day}};
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  return std::chrono::sys_days{date} + std::chrono::hours{hour} + std::chrono::minutes{minute} +
         std::chrono::seconds{second};
}

/// Whether the same request may go out again although the last one may have been done.
bool may_repeat(const Request& request) noexcept {
  return request.idempotent || (request.method != Method::post && request.method != Method::patch);
}

}  // namespace

bool is_transient(int status) noexcept {
  switch (status) {
    case 408:
    case 425:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
      return true;
    default:
      return false;
  }
}

std::optional<std::chrono::milliseconds> retry_after(const Headers& headers, Time now) {
  const auto* text = headers.find("Retry-After");
  if (text == nullptr || text->empty()) return std::nullopt;
  std::chrono::milliseconds wait{};
  std::uint32_t seconds = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), seconds);
  if (error == std::errc{} && end == text->data() + text->size()) {
    wait = std::chrono::seconds{seconds};
  } else if (const auto date = parse_http_date(*text)) {
    wait = *date - now;
  } else {
    return std::nullopt;
  }
  return std::clamp<std::chrono::milliseconds>(wait, std::chrono::milliseconds{0}, longest_wait);
}

Timer Timer::real() {
  return {[] { return std::chrono::steady_clock::now(); },
          [](std::chrono::milliseconds delay) { std::this_thread::sleep_for(delay); },
          [generator = std::minstd_rand{std::random_device{}()}]() mutable {
            return std::uniform_real_distribution<double>{0.0, 1.0}(generator);
          }};
}

Tries::Tries(RetryPolicy policy, Timer timer) : m_policy(policy), m_timer(std::move(timer)), m_began(m_timer.now()) {}

bool Tries::wait(std::optional<std::chrono::milliseconds> floor) {
  const auto delay = next_delay(m_policy.backoff, m_tried, m_timer.random(), floor);
  if (!delay || m_timer.now() - m_began + *delay > m_policy.total) return false;
  m_timer.sleep(*delay);
  ++m_tried;
  return true;
}

void Tries::begin_anew() {
  m_tried = 1;
  m_began = m_timer.now();
}

RetryingClient::RetryingClient(Client& next, RetryPolicy policy, Timer timer)
    : m_next(next), m_policy(policy), m_timer(std::move(timer)) {}

Response RetryingClient::send(const Request& request) {
  const bool repeatable = may_repeat(request);
  Tries tries{m_policy, m_timer};
  while (true) {
    try {
      auto response = m_next.send(request);
      const bool again = is_transient(response.status) &&
                         (repeatable || response.status == 429 || response.status == 503) &&
                         !(request.is_final && request.is_final(response));
      if (!again || !tries.wait(retry_after(response.headers, now()))) return response;
    } catch (const TransportError& error) {
      if (!repeatable && error.sent() != TransportError::Sent::no) throw;
      if (!tries.wait()) throw;
    }
  }
}

}  // namespace capsule::http
