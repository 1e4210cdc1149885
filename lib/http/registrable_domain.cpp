#include "http/registrable_domain.hpp"

#include <libpsl.h>

#include <string>

#include "http/address.hpp"

namespace capsule::http {

namespace {

bool is_address(std::string_view host) noexcept {
  return in_block(host, host);
}

/// Empty where there is none.
std::string_view registrable_domain(const std::string& host) {
  // Without the list nothing but the host itself is known to belong to it.
  const auto* suffixes = psl_builtin();
  if (suffixes == nullptr || is_address(host) || host.ends_with('.')) return {};
  const char* domain = psl_registrable_domain(suffixes, host.c_str());
  return domain == nullptr ? std::string_view{} : std::string_view{domain};
}

}  // namespace

bool same_registrable_domain(std::string_view left, std::string_view right) {
  if (left == right) return true;
  const std::string one{left};
  const std::string other{right};
  const auto domain = registrable_domain(one);
  return !domain.empty() && domain == registrable_domain(other);
}

}  // namespace capsule::http
