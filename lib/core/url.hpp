#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace capsule {

/// What may be shown of a URL, or of a registry's place with or without a scheme, that was refused: what stands before
/// its last '@' may be credentials, unless a digest follows.
std::string without_userinfo(std::string_view text);

/// An absolute http or https URL in an ASCII grammar with one canonical form (RFC 3986 §3): lower-case scheme and host,
/// no userinfo, no fragment, no dot segments, no encoded slash; IPv6 hosts in brackets, as RFC 5952 spells them.
/// Credentials are never part of a URL.
class Url {
 public:
  /// Throws Error usage with the reason; the text of a refused URL is printed without any userinfo.
  static Url parse(std::string_view text);

  [[nodiscard]] const std::string& scheme() const noexcept { return m_scheme; }
  [[nodiscard]] const std::string& host() const noexcept { return m_host; }  ///< IPv6 without brackets
  [[nodiscard]] std::uint16_t port() const noexcept { return m_port; }       ///< the scheme's default if none is given
  [[nodiscard]] const std::string& path() const noexcept { return m_path; }  ///< begins with '/'
  [[nodiscard]] const std::string& query() const noexcept { return m_query; }  ///< without '?'
  [[nodiscard]] std::string text() const;
  /// Text without the query, which can hold a pre-signed credential: what may be logged.
  [[nodiscard]] std::string loggable() const;
  /// 127.0.0.0/8, ::1 or localhost.
  [[nodiscard]] bool is_loopback() const noexcept;
  /// Same scheme, host and port.
  [[nodiscard]] bool same_origin(const Url& other) const noexcept;
  /// This URL with another path (begins with '/') and query.
  [[nodiscard]] Url with_path(std::string_view path, std::string_view query = {}) const;
  /// Resolves a Location header against this URL (RFC 3986 §5; absolute URL, absolute or relative path).
  [[nodiscard]] Url resolve(std::string_view location) const;

 private:
  Url() = default;
  [[nodiscard]] std::string origin() const;
  std::string m_scheme;
  std::string m_host;
  std::uint16_t m_port = 0;
  std::string m_path;
  std::string m_query;
};

}  // namespace capsule
