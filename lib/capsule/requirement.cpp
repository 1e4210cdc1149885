#include "capsule/requirement.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "capsule/quantity.hpp"

namespace capsule {

namespace {

constexpr std::uint64_t max_gpus = 1024;
/// What Go, and so OCI, calls the architectures that Linux runs on.
constexpr std::array<std::string_view, 10> architectures{"386",      "amd64",   "arm",     "arm64", "loong64",
                                                         "mips64le", "ppc64le", "riscv64", "s390x", "mips64"};

std::optional<std::uint64_t> parse_gpus(std::string_view value) {
  if (value == "true") return 1;
  if (value == "false") return 0;
  std::uint64_t count = 0;
  const auto* end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(value.data(), end, count);
  if (error != std::errc{} || stop != end || count == 0 || count > max_gpus || value.front() == '0')
    return std::nullopt;
  return count;
}

}  // namespace

std::optional<Requirement> parse_requirement(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto key = text.substr(0, colon);
  const auto value = text.substr(colon + 1);
  Requirement out;
  out.text = text;
  if (key == "gpu") {
    out.kind = Requirement::Kind::gpu;
    const auto count = parse_gpus(value);
    if (!count) return std::nullopt;
    out.amount = *count;
  } else if (key == "gpu-memory") {
    out.kind = Requirement::Kind::gpu_memory;
    const auto milli = parse_quantity_milli(value);
    if (!milli || *milli < 1000) return std::nullopt;
    out.amount = *milli / 1000;
  } else if (key == "utid") {
    out.kind = Requirement::Kind::utid;
    if (value != "hardware-bound" && value != "soft") return std::nullopt;
    out.word = value;
  } else if (key == "arch") {
    out.kind = Requirement::Kind::arch;
    if (std::find(architectures.begin(), architectures.end(), value) == architectures.end()) return std::nullopt;
    out.word = value;
  } else {
    return std::nullopt;
  }
  return out;
}

}  // namespace capsule
