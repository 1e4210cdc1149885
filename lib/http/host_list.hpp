#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/url.hpp"

namespace capsule::http {

/// Hosts that the user named: `HOST` (any port of it) or `HOST:PORT`; an IPv6 address: [::1]:PORT, [::1] or ::1.
class HostList {
 public:
  HostList() = default;
  /// Error usage for what is no HOST[:PORT].
  explicit HostList(const std::vector<std::string>& hosts);
  void add(std::string_view host);
  [[nodiscard]] bool names(const Url& url) const noexcept;

 private:
  struct Entry {
    std::string host;
    std::uint16_t port;  ///< 0: any
  };
  std::vector<Entry> m_entries;
};

}  // namespace capsule::http
