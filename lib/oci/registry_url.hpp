#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/digest.hpp"
#include "core/url.hpp"
#include "http/headers.hpp"

namespace capsule::oci {

/// The addresses of one repository in a registry (distribution-spec 1.1, "Endpoints"). Pure.
class RegistryUrls {
 public:
  /// `base`: https://HOST[:PORT]/
  RegistryUrls(Url base, std::string repository);

  [[nodiscard]] const Url& base() const noexcept { return m_base; }
  [[nodiscard]] const std::string& repository() const noexcept { return m_repository; }
  /// `name` is a tag or a digest.
  [[nodiscard]] Url manifest(std::string_view name) const;
  [[nodiscard]] Url blob(const Digest& digest) const;
  [[nodiscard]] Url uploads() const;
  [[nodiscard]] Url referrers(const Digest& subject, std::string_view artifact_type) const;
  [[nodiscard]] Url tags() const;

 private:
  Url m_base;
  std::string m_repository;
};

/// https://HOST[:PORT]/ of a registry; docker.io is asked at registry-1.docker.io, as every client does.
Url registry_base(std::string_view scheme, std::string_view host);

/// The list of the repositories of a registry.
Url catalog_url(const Url& base);

/// `url` with one more member in its query.
Url with_query(const Url& url, std::string_view key, std::string_view value);

/// Where the next page of a list is: the target of `Link: <…>; rel="next"` (RFC 8288) against `url`, nothing where
/// there is none. Error denied where it is at another origin, invalid_input where it is no URL.
std::optional<Url> next_page(const http::Headers& headers, const Url& url);

}  // namespace capsule::oci
