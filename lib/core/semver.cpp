#include "core/semver.hpp"

#include <algorithm>

namespace capsule {

namespace {

constexpr std::size_t max_version_bytes = 100;

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
bool is_numeric(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}
bool is_lower_alnum(char c) noexcept {
  return is_digit(c) || (c >= 'a' && c <= 'z');
}
bool is_identifier(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return is_lower_alnum(c) || (c >= 'A' && c <= 'Z') || c == '-'; });
}
bool is_number(std::string_view text) noexcept {
  return is_numeric(text) && (text.size() == 1 || text.front() != '0');
}

/// Takes the part before the next dot.
std::string_view take_part(std::string_view& rest) noexcept {
  const auto part = rest.substr(0, rest.find('.'));
  rest.remove_prefix(std::min(rest.size(), part.size() + 1));
  return part;
}

bool all_parts(std::string_view text, bool (*holds)(std::string_view), std::size_t count) noexcept {
  const auto dots = static_cast<std::size_t>(std::count(text.begin(), text.end(), '.'));
  if (count != 0 && dots + 1 != count) return false;
  for (std::size_t i = 0; i <= dots; ++i) {
    if (!holds(take_part(text))) return false;
  }
  return true;
}

bool is_prerelease_part(std::string_view text) noexcept {
  return is_identifier(text) && (!is_numeric(text) || is_number(text));
}

int sign(int value) noexcept {
  return value < 0 ? -1 : value > 0 ? 1 : 0;
}

int compare_numbers(std::string_view left, std::string_view right) noexcept {
  if (left.size() != right.size()) return left.size() < right.size() ? -1 : 1;
  return sign(left.compare(right));
}

int compare_part(std::string_view left, std::string_view right) noexcept {
  const bool left_number = is_numeric(left);
  const bool right_number = is_numeric(right);
  if (left_number && right_number) return compare_numbers(left, right);
  if (left_number != right_number) return left_number ? -1 : 1;
  return sign(left.compare(right));
}

int compare_dotted(std::string_view left, std::string_view right) noexcept {
  while (!left.empty() && !right.empty()) {
    if (const int order = compare_part(take_part(left), take_part(right)); order != 0) return order;
  }
  return static_cast<int>(!left.empty()) - static_cast<int>(!right.empty());
}

}  // namespace

bool is_name(std::string_view text) noexcept {
  return !text.empty() && text.size() <= 63 &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_lower_alnum(c) || c == '-'; }) &&
         text.front() != '-' && text.back() != '-';
}

bool is_version(std::string_view text) noexcept {
  if (text.size() > max_version_bytes) return false;
  const auto dash = text.find('-');
  if (!all_parts(
          text.substr(0, dash), [](std::string_view part) { return is_number(part); }, 3))
    return false;
  return dash == std::string_view::npos ||
         all_parts(
             text.substr(dash + 1), [](std::string_view part) { return is_prerelease_part(part); }, 0);
}

int compare_versions(std::string_view left, std::string_view right) noexcept {
  const auto left_dash = left.find('-');
  const auto right_dash = right.find('-');
  if (const int order = compare_dotted(left.substr(0, left_dash), right.substr(0, right_dash)); order != 0)
    return order;
  const bool left_release = left_dash == std::string_view::npos;
  const bool right_release = right_dash == std::string_view::npos;
  if (left_release || right_release) return static_cast<int>(left_release) - static_cast<int>(right_release);
  return compare_dotted(left.substr(left_dash + 1), right.substr(right_dash + 1));
}

}  // namespace capsule
