#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "http/client.hpp"
#include "oci/descriptor.hpp"
#include "oci/registry_url.hpp"

namespace capsule::oci {

/// A manifest as a registry gave it: its bytes are what was asked for, its media type is the registry's word.
struct FetchedManifest {
  Descriptor descriptor;
  std::string bytes;
  std::string etag;  ///< empty where the registry gives none
};

/// The manifests of one repository of a registry (distribution-spec 1.1). Digests are those of the bytes; what headers
/// say must agree with them. The last manifests are remembered, for their content cannot change. For several threads at
/// once, as its client is.
class RegistryManifests {
 public:
  RegistryManifests(const RegistryUrls& urls, http::Client& client) : m_urls(urls), m_client(client) {}

  /// Nothing where there is no such tag. Always asks the registry; where it gives entity tags, it need not send again
  /// what is remembered (RFC 9110, If-None-Match).
  std::optional<FetchedManifest> tagged(std::string_view tag);
  /// Error not_found; verification_failed for other bytes than the digest promises.
  std::string by_digest(const Digest& digest);
  /// Bytes of a manifest, or nothing where it is not there.
  std::optional<std::uint64_t> size_of(const Digest& digest);
  /// Whether the last size_of found it absent and nothing was asked or put since: who is about to put it need not ask
  /// again, for to put what is there changes nothing.
  [[nodiscard]] bool was_absent(const Digest& digest);
  /// Stores it under a tag or its digest. `if_match`: the entity tag that must still be there (a registry may ignore
  /// it); another one is Error conflict. Returns the headers of the answer.
  http::Headers put(std::string_view name, std::string_view media_type, std::string_view bytes,
                    const std::string& if_match = {});

 private:
  /// What a tag named, as the registry calls it.
  struct Seen {
    Descriptor descriptor;
    std::string etag;
  };
  /// `seen`: answered with its bytes where the registry says that it is still that.
  std::optional<FetchedManifest> fetch(std::string_view name, const std::optional<Digest>& wanted,
                                       const Seen* seen = nullptr);
  [[nodiscard]] std::optional<std::string> known(const Digest& digest);
  /// Takes away what is remembered of a tag.
  [[nodiscard]] std::optional<Seen> forget(std::string_view tag);
  void remember(const Digest& digest, const std::string& bytes);
  const RegistryUrls& m_urls;
  http::Client& m_client;
  std::mutex m_mutex;  ///< of what is remembered
  std::deque<std::pair<Digest, std::string>> m_known;
  std::map<std::string, Seen, std::less<>> m_tags;
  std::set<Digest> m_absent;
};

}  // namespace capsule::oci
