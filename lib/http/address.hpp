#pragma once

#include <string>
#include <string_view>

struct sockaddr;

namespace capsule::http {

/// Where an address leads (IANA special-purpose registries). An IPv4 address inside an IPv6 one (mapped, NAT64, 6to4)
/// counts as itself.
enum class AddressClass {
  public_internet,
  private_network,  ///< 10/8, 172.16/12, 192.168/16, 100.64/10, fc00::/7 and whatever else is not routed
  link_local,       ///< 169.254/16 (clouds' metadata services), fe80::/10
  loopback          ///< 127/8, ::1; also 0/8 and ::, which connect to this machine, and UNIX sockets
};

AddressClass classify(const sockaddr& address) noexcept;
/// Of an address in text form; what is none counts as private_network.
AddressClass classify(std::string_view address) noexcept;

/// Whether a server at `origin` may send its client on to an address of class `target`.
bool may_lead_to(AddressClass origin, AddressClass target) noexcept;

/// Whether `address` lies in `block`: "10.0.0.0/8", "fd00::/8" or one address.
bool in_block(std::string_view address, std::string_view block) noexcept;

}  // namespace capsule::http
