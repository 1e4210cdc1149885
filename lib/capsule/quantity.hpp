#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace capsule {

/// A Kubernetes quantity (k8s.io/apimachinery resource.Quantity) in thousandths, rounded up: digits with an optional
/// fraction, then nothing, m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi or Ei. Nothing for any other text, and above
/// about 9·10¹⁵ units.
std::optional<std::uint64_t> parse_quantity_milli(std::string_view text) noexcept;

}  // namespace capsule
