#include "core/time.hpp"

#include <fmt/format.h>

#include <charconv>

#include "core/error.hpp"

namespace capsule {

namespace {

/// Takes `width` digits from the front of `rest`.
int take_number(std::string_view& rest, std::size_t width, std::string_view whole) {
  int value = 0;
  if (rest.size() < width)
    throw Error{ErrorKind::invalid_input, fmt::format("not a time (RFC 3339): '{}'", printable(whole))};
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + width, value);
  if (error != std::errc{} || end != rest.data() + width || rest.front() == '-') {
    throw Error{ErrorKind::invalid_input, fmt::format("not a time (RFC 3339): '{}'", printable(whole))};
  }
  rest.remove_prefix(width);
  return value;
}

void take_one_of(std::string_view& rest, std::string_view allowed, std::string_view whole) {
  if (rest.empty() || allowed.find(rest.front()) == std::string_view::npos) {
    throw Error{ErrorKind::invalid_input, fmt::format("not a time (RFC 3339): '{}'", printable(whole))};
  }
  rest.remove_prefix(1);
}

std::chrono::milliseconds take_fraction(std::string_view& rest, std::string_view whole) {
  if (!rest.starts_with('.')) return {};
  rest.remove_prefix(1);
  std::size_t digits = 0;
  int value = 0;
  while (digits < rest.size() && rest[digits] >= '0' && rest[digits] <= '9') {
    if (digits < 3) value = value * 10 + (rest[digits] - '0');
    ++digits;
  }
  if (digits == 0 || digits > 9)
    throw Error{ErrorKind::invalid_input, fmt::format("not a time (RFC 3339): '{}'", printable(whole))};
  for (auto i = digits; i < 3; ++i) value *= 10;
  rest.remove_prefix(digits);
  return std::chrono::milliseconds{value};
}

std::chrono::minutes take_offset(std::string_view& rest, std::string_view whole) {
  if (rest.starts_with('Z') || rest.starts_with('z')) {
    rest.remove_prefix(1);
    return {};
  }
  const bool negative = rest.starts_with('-');
  take_one_of(rest, "+-", whole);
  const int hours = take_number(rest, 2, whole);
  take_one_of(rest, ":", whole);
  const int minutes = take_number(rest, 2, whole);
  const auto offset = std::chrono::hours{hours} + std::chrono::minutes{minutes};
  return negative ? -offset : offset;
}

}  // namespace

Time now() {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

std::string format_time(Time time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

Time parse_time(std::string_view text) {
  auto rest = text;
  const int year = take_number(rest, 4, text);
  take_one_of(rest, "-", text);
  const int month = take_number(rest, 2, text);
  take_one_of(rest, "-", text);
  const int day = take_number(rest, 2, text);
  take_one_of(rest, "Tt", text);
  const int hour = take_number(rest, 2, text);
  take_one_of(rest, ":", text);
  const int minute = take_number(rest, 2, text);
  take_one_of(rest, ":", text);
  const int second = take_number(rest, 2, text);
  const auto fraction = take_fraction(rest, text);
  const auto offset = take_offset(rest, text);
  const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (!rest.empty() || !date.ok() || hour > 23 || minute > 59 || second > 60) {
    throw Error{ErrorKind::invalid_input, fmt::format("not a time (RFC 3339): '{}'", printable(text))};
  }
  return std::chrono::sys_days{date} + std::chrono::hours{hour} + std::chrono::minutes{minute} +
         std::chrono::seconds{second} + fraction - offset;
}

std::chrono::milliseconds parse_duration(std::string_view text) {
  const auto refuse = [&] {
    throw Error{ErrorKind::usage, fmt::format("not a duration such as 90s, 5m or 1h30m: '{}'", printable(text))};
  };
  if (text.empty()) refuse();
  double total_ms = 0;
  auto rest = text;
  while (!rest.empty()) {
    double value = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (error != std::errc{} || value < 0) refuse();
    const bool first = rest.size() == text.size();
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    const auto unit = rest.substr(0, rest.find_first_of("0123456789."));
    const bool is_bare_seconds = unit.empty() && rest.empty() && first;
    if (unit == "ms")
      total_ms += value;
    else if (unit == "s" || is_bare_seconds)
      total_ms += value * 1e3;
    else if (unit == "m")
      total_ms += value * 60e3;
    else if (unit == "h")
      total_ms += value * 3600e3;
    else
      refuse();
    rest.remove_prefix(unit.size());
  }
  if (!(total_ms <= 1e13)) refuse();
  return std::chrono::milliseconds{static_cast<std::chrono::milliseconds::rep>(total_ms)};
}

std::string human_duration(std::chrono::milliseconds duration) {
  const auto ms = duration.count();
  if (ms < 1000) return fmt::format("{} ms", ms);
  if (ms < 60'000) return fmt::format("{:.1f} s", static_cast<double>(ms) / 1e3);
  if (ms < 3'600'000) return fmt::format("{} min {} s", ms / 60'000, ms / 1000 % 60);
  return fmt::format("{} h {} min", ms / 3'600'000, ms / 60'000 % 60);
}

}  // namespace capsule
