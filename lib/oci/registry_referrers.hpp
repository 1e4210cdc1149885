#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "oci/registry_manifests.hpp"
#include "oci/settling.hpp"

namespace capsule::oci {

/// The referrers of manifests in one repository of a registry (distribution-spec 1.1, "Listing Referrers"): by the API,
/// or, where the registry has none (404), in the image index under the tag `sha256-<hex>`.
class RegistryReferrers {
 public:
  /// All must outlive it.
  RegistryReferrers(const RegistryUrls& urls, http::Client& client, RegistryManifests& manifests, Settling& settling)
      : m_urls(urls), m_client(client), m_manifests(manifests), m_settling(settling) {}

  /// As Store::referrers promises.
  std::vector<Descriptor> of(const Digest& subject, std::string_view artifact_type);
  /// Whether `referrer` is among them, as the registry says it.
  bool lists(const Digest& subject, const Descriptor& referrer);
  /// For a registry without the API: adds to the tag's index. Nothing guards that index, so it is read, written, and
  /// after a settling time read again, until the referrer stands. Error busy where others keep replacing it.
  void add_to_tag(const Digest& subject, const Descriptor& referrer);
  /// Runs `work`, in which add_to_tag does not wait; then waits once for all of it, tags that were put included. Within
  /// a thread calls may nest.
  void together(const std::function<void()>& work);

 private:
  std::optional<std::vector<Descriptor>> by_api(const Digest& subject, std::string_view artifact_type);
  std::vector<Descriptor> by_tag(const Digest& subject, std::string* etag = nullptr);
  /// Reads, adds, writes. False: it was there.
  bool put_into_tag(const Digest& subject, const Descriptor& referrer);
  /// Waits, and adds again what others' writing took away, until all that was added stands.
  void stand();
  const RegistryUrls& m_urls;
  http::Client& m_client;
  RegistryManifests& m_manifests;
  Settling& m_settling;
  std::vector<std::pair<Digest, Descriptor>> m_added;  ///< to tags, and not read again yet
  int m_together = 0;                                  ///< calls of together() under way
};

}  // namespace capsule::oci
