#include "http/address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

namespace capsule::http {

namespace {

using V6 = std::array<std::uint8_t, 16>;

struct Block4 {
  std::uint32_t network;
  unsigned bits;
  AddressClass address_class;
};

constexpr std::array<Block4, 15> blocks4{{
    {0x7f000000, 8, AddressClass::loopback},
    {0x00000000, 8, AddressClass::loopback},
    {0xa9fe0000, 16, AddressClass::link_local},
    {0x0a000000, 8, AddressClass::private_network},
    {0xac100000, 12, AddressClass::private_network},
    {0xc0a80000, 16, AddressClass::private_network},
    {0x64400000, 10, AddressClass::private_network},
    {0xc0000000, 24, AddressClass::private_network},
    {0xc0000200, 24, AddressClass::private_network},
    {0xc6120000, 15, AddressClass::private_network},
    {0xc6336400, 24, AddressClass::private_network},
    {0xcb007100, 24, AddressClass::private_network},
    {0xc0586300, 24, AddressClass::private_network},
    {0xe0000000, 4, AddressClass::private_network},
    {0xf0000000, 4, AddressClass::private_network},
}};

AddressClass classify4(std::uint32_t address) noexcept {
  for (const auto& block : blocks4) {
    if ((address >> (32 - block.bits)) == (block.network >> (32 - block.bits))) return block.address_class;
  }
  return AddressClass::public_internet;
}

std::uint32_t four_bytes(const V6& address, std::size_t at) noexcept {
  return (std::uint32_t{address[at]} << 24U) | (std::uint32_t{address[at + 1]} << 16U) |
         (std::uint32_t{address[at + 2]} << 8U) | std::uint32_t{address[at + 3]};
}

bool starts_with(const V6& address, std::initializer_list<std::uint8_t> prefix) noexcept {
  return std::equal(prefix.begin(), prefix.end(), address.begin());
}

AddressClass classify6(const V6& address) noexcept {
  if (starts_with(address, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff})) return classify4(four_bytes(address, 12));
  if (starts_with(address, {0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0})) return classify4(four_bytes(address, 12));
  if (starts_with(address, {0x20, 0x02})) return classify4(four_bytes(address, 2));
  if (starts_with(address, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})) {
    return address[15] <= 1 ? AddressClass::loopback : AddressClass::private_network;
  }
  if (address[0] == 0xfe && (address[1] & 0xc0U) == 0x80) return AddressClass::link_local;
  // Global unicast is 2000::/3; documentation and Teredo (which embeds an address, obscured) are not to be reached.
  if (starts_with(address, {0x20, 0x01, 0x0d, 0xb8}) || starts_with(address, {0x20, 0x01, 0, 0})) {
    return AddressClass::private_network;
  }
  return (address[0] & 0xe0U) == 0x20 ? AddressClass::public_internet : AddressClass::private_network;
}

struct Parsed {
  V6 bytes{};  ///< IPv4: mapped
  bool is_v4 = false;
};

std::optional<Parsed> parse(std::string_view text) noexcept {
  std::array<char, INET6_ADDRSTRLEN> copy{};
  if (text.size() >= copy.size()) return std::nullopt;
  std::copy(text.begin(), text.end(), copy.begin());
  Parsed parsed;
  if (::inet_pton(AF_INET, copy.data(), &parsed.bytes[12]) == 1) {
    parsed.bytes[10] = parsed.bytes[11] = 0xff;
    parsed.is_v4 = true;
    return parsed;
  }
  if (::inet_pton(AF_INET6, copy.data(), parsed.bytes.data()) == 1) return parsed;
  return std::nullopt;
}

}  // namespace

AddressClass classify(const sockaddr& address) noexcept {
  if (address.sa_family == AF_UNIX) return AddressClass::loopback;
  if (address.sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof v4);
    return classify4(ntohl(v4.sin_addr.s_addr));
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof v6);
    V6 bytes{};
    std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
    return classify6(bytes);
  }
  return AddressClass::private_network;
}

AddressClass classify(std::string_view address) noexcept {
  const auto parsed = parse(address);
  return parsed ? classify6(parsed->bytes) : AddressClass::private_network;
}

bool may_lead_to(AddressClass origin, AddressClass target) noexcept {
  switch (target) {
    case AddressClass::public_internet:
      return true;
    case AddressClass::private_network:
      return origin == AddressClass::private_network || origin == AddressClass::loopback;
    case AddressClass::link_local:
    case AddressClass::loopback:
      return origin == target;
  }
  return false;
}

bool in_block(std::string_view address, std::string_view block) noexcept {
  const auto slash = block.find('/');
  const auto host = parse(address);
  const auto network = parse(block.substr(0, slash));
  if (!host || !network || host->is_v4 != network->is_v4) return false;
  unsigned bits = host->is_v4 ? 32 : 128;
  if (slash != std::string_view::npos) {
    const auto text = block.substr(slash + 1);
    unsigned given = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), given);
    if (error != std::errc{} || end != text.data() + text.size() || given > bits) return false;
    bits = given;
  }
  if (host->is_v4) bits += 96;
  for (unsigned at = 0; at < bits; ++at) {
    const auto mask = static_cast<std::uint8_t>(0x80U >> (at % 8));
    if (((host->bytes[at / 8] ^ network->bytes[at / 8]) & mask) != 0) return false;
  }
  return true;
}

}  // namespace capsule::http
