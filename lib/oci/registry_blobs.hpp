#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci/access.hpp"
#include "oci/blob_content.hpp"
#include "oci/blob_download.hpp"
#include "oci/blob_holders.hpp"
#include "oci/client_pool.hpp"
#include "oci/descriptor.hpp"
#include "oci/registry_client.hpp"
#include "oci/registry_url.hpp"

namespace capsule::oci {

/// The blobs of one repository of a registry (distribution-spec 1.1): what Store promises of them. For several threads
/// at once.
class RegistryBlobs {
 public:
  /// All three must outlive it.
  RegistryBlobs(const RegistryUrls& urls, const Registry& registry, const Access& access);

  /// Not asked for what was put by this object.
  std::optional<std::uint64_t> size_of(const Digest& digest);
  /// Begins an upload and ends it. Error denied.
  void require_writable();
  std::unique_ptr<Source> open(const Descriptor& blob);
  /// As Store::open_blob_part.
  std::unique_ptr<Source> open_part(const Descriptor& blob, std::uint64_t offset);
  void read(const Descriptor& blob, Sink& sink);
  /// A large one is mounted from another repository of the registry where one is known to have it. False: nothing was
  /// sent.
  bool put(const BlobContent& content);
  /// What can be read once only is kept in a temporary file first, if the registry lacks it and it is no small one.
  void put(const Digest& digest, std::uint64_t size, Source& content);
  Descriptor put_stream(std::string_view media_type, const std::function<void(Sink&)>& produce);

 private:
  std::unique_ptr<Source> open(const Descriptor& blob, DownloadSettings settings);
  [[nodiscard]] std::optional<std::uint64_t> size_of_put(const Digest& digest);
  [[nodiscard]] std::vector<std::string> mount_from(const BlobContent& content, const BlobHolders& holders) const;
  const RegistryUrls& m_urls;
  const Registry& m_registry;
  const Access& m_access;
  ClientPool m_client;  ///< does not try again by itself
  std::mutex m_mutex;
  std::map<Digest, std::uint64_t> m_put;  ///< by this object, with their sizes
};

}  // namespace capsule::oci
