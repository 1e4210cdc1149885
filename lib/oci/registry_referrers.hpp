#pragma once

#include "http/retry.hpp"
#include "oci/registry_manifests.hpp"

namespace capsule::oci {

/// The referrers of manifests in one repository of a registry (distribution-spec 1.1, "Listing Referrers"): by the API,
/// or, where the registry has none (404), in the image index under the tag `sha256-<hex>`.
class RegistryReferrers {
 public:
  RegistryReferrers(const RegistryUrls& urls, http::Client& client, RegistryManifests& manifests, http::Timer timer)
      : m_urls(urls), m_client(client), m_manifests(manifests), m_timer(std::move(timer)) {}

  /// As Store::referrers promises.
  std::vector<Descriptor> of(const Digest& subject, std::string_view artifact_type);
  /// Whether `referrer` is among them, as the registry says it.
  bool lists(const Digest& subject, const Descriptor& referrer);
  /// For a registry without the API: adds to the tag's index. Nothing guards that index, so it is read, written, and
  /// after a settling time read again, until the referrer stands. Error busy where others keep replacing it.
  void add_to_tag(const Digest& subject, const Descriptor& referrer);
  /// Waits a random 0.2 to 0.6 s; not if that was done after `since` already.
  void settle(std::optional<std::chrono::steady_clock::time_point> since = {});

 private:
  std::optional<std::vector<Descriptor>> by_api(const Digest& subject, std::string_view artifact_type);
  std::vector<Descriptor> by_tag(const Digest& subject, std::string* etag = nullptr);
  const RegistryUrls& m_urls;
  http::Client& m_client;
  RegistryManifests& m_manifests;
  http::Timer m_timer;
  std::optional<std::chrono::steady_clock::time_point> m_settled;  ///< when the last such wait began
};

}  // namespace capsule::oci
