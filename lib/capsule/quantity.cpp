#include "capsule/quantity.hpp"

#include <algorithm>
#include <array>

namespace capsule {

namespace {

struct Suffix {
  std::string_view text;
  std::uint64_t milli;  ///< thousandths of a unit
};

constexpr std::uint64_t kibi(unsigned power) {
  return std::uint64_t{1000} << (10U * power);
}

// Powers of ten first fit 64 bits up to P: an exabyte in thousandths does not.
constexpr std::array<Suffix, 12> suffixes{{{"", 1000},
                                           {"m", 1},
                                           {"k", 1000'000},
                                           {"M", 1000'000'000},
                                           {"G", 1000'000'000'000},
                                           {"T", 1000'000'000'000'000},
                                           {"P", 1000'000'000'000'000'000},
                                           {"Ki", kibi(1)},
                                           {"Mi", kibi(2)},
                                           {"Gi", kibi(3)},
                                           {"Ti", kibi(4)},
                                           {"Pi", kibi(5)}}};

__extension__ using Wide = unsigned __int128;  // 15 digits times the largest suffix fit

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

}  // namespace

std::optional<std::uint64_t> parse_quantity_milli(std::string_view text) noexcept {
  constexpr std::size_t max_digits = 15;
  const auto number_end = std::find_if(text.begin(), text.end(), [](char c) { return !is_digit(c) && c != '.'; });
  const auto number = text.substr(0, static_cast<std::size_t>(number_end - text.begin()));
  const auto point = std::min(number.find('.'), number.size());
  const auto whole = number.substr(0, point);
  const auto fraction = number.substr(std::min(point + 1, number.size()));
  if (whole.empty() || (point < number.size() && fraction.empty()) || fraction.find('.') != std::string_view::npos ||
      whole.size() + fraction.size() > max_digits) {
    return std::nullopt;
  }
  const auto* suffix = std::find_if(suffixes.begin(), suffixes.end(),
                                    [&](const Suffix& s) { return s.text == text.substr(number.size()); });
  if (suffix == suffixes.end()) return std::nullopt;
  Wide value = 0;
  for (const char c : number) value = c == '.' ? value : value * 10 + static_cast<unsigned>(c - '0');
  value *= suffix->milli;
  Wide scale = 1;
  for (std::size_t i = 0; i < fraction.size(); ++i) scale *= 10;
  value = (value + scale - 1) / scale;
  if (value > UINT64_MAX) return std::nullopt;
  return static_cast<std::uint64_t>(value);
}

}  // namespace capsule
