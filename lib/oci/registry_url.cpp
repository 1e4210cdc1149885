#include "oci/registry_url.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/query.hpp"

namespace capsule::oci {

namespace {

constexpr int page_size = 1000;  // entries of a list that are asked for at once

/// What is between '<' and '>' of the link whose parameters say rel=next; empty where there is none.
std::string_view next_target(std::string_view link) noexcept {
  while (true) {
    const auto open = link.find('<');
    const auto close = link.find('>', open == std::string_view::npos ? 0 : open);
    if (open == std::string_view::npos || close == std::string_view::npos) return {};
    const auto target = link.substr(open + 1, close - open - 1);
    link.remove_prefix(close + 1);
    const auto parameters = link.substr(0, link.find('<'));
    if (parameters.find("rel=\"next\"") != std::string_view::npos ||
        parameters.find("rel=next") != std::string_view::npos) {
      return target;
    }
  }
}

}  // namespace

RegistryUrls::RegistryUrls(Url base, std::string repository)
    : m_base(std::move(base)), m_repository(std::move(repository)) {}

Url RegistryUrls::manifest(std::string_view name) const {
  return m_base.with_path(fmt::format("/v2/{}/manifests/{}", m_repository, name));
}

Url RegistryUrls::blob(const Digest& digest) const {
  return m_base.with_path(fmt::format("/v2/{}/blobs/{}", m_repository, digest.text()));
}

Url RegistryUrls::uploads() const {
  return m_base.with_path(fmt::format("/v2/{}/blobs/uploads/", m_repository));
}

Url RegistryUrls::referrers(const Digest& subject, std::string_view artifact_type) const {
  return m_base.with_path(
      fmt::format("/v2/{}/referrers/{}", m_repository, subject.text()),
      artifact_type.empty() ? std::string{} : fmt::format("artifactType={}", query_encoded(artifact_type)));
}

Url RegistryUrls::tags() const {
  return m_base.with_path(fmt::format("/v2/{}/tags/list", m_repository), fmt::format("n={}", page_size));
}

Url registry_base(std::string_view scheme, std::string_view host) {
  const bool hub = host == "docker.io" || host == "index.docker.io";
  return Url::parse(fmt::format("{}://{}/", scheme, hub ? "registry-1.docker.io" : host));
}

Url catalog_url(const Url& base) {
  return base.with_path("/v2/_catalog", fmt::format("n={}", page_size));
}

Url with_query(const Url& url, std::string_view key, std::string_view value) {
  const auto member = fmt::format("{}={}", key, query_encoded(value));
  return url.with_path(url.path(), url.query().empty() ? member : fmt::format("{}&{}", url.query(), member));
}

std::optional<Url> next_page(const http::Headers& headers, const Url& url) {
  const auto* link = headers.find("Link");
  const auto target = link == nullptr ? std::string_view{} : next_target(*link);
  if (target.empty()) return std::nullopt;
  const auto next = [&] {
    try {
      return url.resolve(target);
    } catch (const Error&) {
      throw Error{ErrorKind::invalid_input, fmt::format("{} names a next page that is no usable URL", url.loggable())};
    }
  }();
  if (!next.same_origin(url)) {
    throw Error{ErrorKind::denied,
                fmt::format("{} has its next page at another host ({})", url.loggable(), next.loggable())};
  }
  return next;
}

}  // namespace capsule::oci
