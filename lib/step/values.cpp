#include "step/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/error.hpp"
#include "core/time.hpp"

namespace capsule::step {

namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds shortest = 1ms;
constexpr std::chrono::milliseconds longest = 8760h;

bool are_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_whole(std::string_view text) {
  return are_digits(text) && (text.size() == 1 || text.front() != '0');
}

bool is_decimal(std::string_view text) {
  const auto point = text.find('.');
  return is_whole(text.substr(0, point)) && (point == std::string_view::npos || are_digits(text.substr(point + 1)));
}

template <typename Number>
CLI::Validator number(bool (*has_form)(std::string_view), std::string_view kind, Number lowest, Number highest) {
  const auto range = fmt::format("{} to {}", lowest, highest);
  const auto check = [=](std::string& text) -> std::string {
    Number value{};
    const bool is_number =
        has_form(text) && std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc{};
    if (is_number && value >= lowest && value <= highest) return {};
    return fmt::format("'{}' is no {} (decimal digits), {}", printable(text), kind, range);
  };
  return {check, range};
}

std::string check_duration(std::string& text) {
  try {
    const auto value = parse_duration(text);
    if (value >= shortest && value <= longest) return {};
    return fmt::format("'{}' is not from 1ms to 8760h", printable(text));
  } catch (const Error& error) {
    return error.message();
  }
}

/// As parse_duration() reads it.
std::string text_of(std::chrono::milliseconds duration) {
  constexpr std::array<std::pair<std::string_view, std::chrono::milliseconds>, 4> units{
      {{"h", 1h}, {"m", 1min}, {"s", 1s}, {"ms", 1ms}}};
  std::string out;
  for (const auto& [unit, length] : units) {
    if (duration >= length) out += fmt::format("{}{}", duration / length, unit);
    duration %= length;
  }
  return out;
}

}  // namespace

CLI::Validator whole_number(std::uint64_t lowest, std::uint64_t highest) {
  return number(is_whole, "whole number", lowest, highest);
}

CLI::Validator decimal_number(double lowest, double highest) {
  return number(is_decimal, "number", lowest, highest);
}

CLI::Validator duration() {
  return {check_duration, ""};
}

CLI::Option* add_duration(CLI::App& app, const std::string& name, std::chrono::milliseconds& into,
                          const std::string& description) {
  return app
      .add_option_function<std::string>(
          name, [&into](const std::string& text) { into = parse_duration(text); }, description)
      ->default_function([&into] { return text_of(into); })
      ->type_name("DURATION")
      ->check(duration());
}

}  // namespace capsule::step
