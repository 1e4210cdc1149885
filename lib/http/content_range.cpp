#include "http/content_range.hpp"

#include <charconv>

namespace capsule::http {

namespace {

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

std::optional<ContentRange> parse_content_range(std::string_view text) {
  if (!text.starts_with("bytes ")) return std::nullopt;
  text.remove_prefix(6);
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  ContentRange range;
  const auto total = text.substr(slash + 1);
  if (total != "*") {
    range.total = parse_number(total);
    if (!range.total) return std::nullopt;
  }
  const auto span = text.substr(0, slash);
  if (span == "*") return range.total ? std::optional{range} : std::nullopt;
  const auto dash = span.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  range.first = parse_number(span.substr(0, dash));
  const auto last = parse_number(span.substr(dash + 1));
  if (!range.first || !last || *last < *range.first || (range.total && *last >= *range.total)) return std::nullopt;
  return range;
}

}  // namespace capsule::http
