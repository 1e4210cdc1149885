#pragma once

#include <memory>

#include "oci/client_pool.hpp"
#include "oci/manifest.hpp"
#include "oci/registry_blobs.hpp"
#include "oci/registry_client.hpp"
#include "oci/registry_manifests.hpp"
#include "oci/registry_referrers.hpp"
#include "oci/registry_url.hpp"
#include "oci/settling.hpp"
#include "oci/store.hpp"

namespace capsule::oci {

/// One repository of a registry over HTTP (distribution-spec 1.1). A registry's words (sizes, digests, media types) are
/// held against the bytes.
class RegistryStore final : public Store {
 public:
  /// `timer`: time as settling sees it; tests bring their own.
  RegistryStore(Registry registry, std::string repository, const Access& access,
                http::Timer timer = http::Timer::real());

  std::optional<Descriptor> resolve(std::string_view tag) override;
  std::string manifest(const Digest& digest) override;
  std::optional<std::uint64_t> blob_size(const Digest& digest) override;
  bool holds(const Digest& digest, std::uint64_t size) override;
  bool holds_manifest(const Digest& digest, std::uint64_t size) override;
  void require_writable() override;
  std::unique_ptr<Source> open_blob(const Descriptor& descriptor) override;
  std::unique_ptr<Source> open_blob_part(const Descriptor& descriptor, std::uint64_t offset) override;
  void read_blob(const Descriptor& descriptor, Sink& sink) override;
  bool put_content(const BlobContent& content) override;
  void put_blob(const Digest& digest, std::uint64_t size, Source& content) override;
  Descriptor put_stream(std::string_view media_type, const std::function<void(Sink&)>& produce) override;
  Descriptor put_manifest(std::string_view media_type, std::string_view bytes,
                          std::optional<std::string_view> tag) override;
  std::vector<Descriptor> referrers(const Digest& subject, std::string_view artifact_type) override;
  std::vector<std::string> tags(std::string_view prefix) override;
  void exclusively(const std::function<void()>& work) override;
  void settle() override;

 private:
  bool is_there(const Descriptor& stored, const Manifest& manifest, std::optional<std::string_view> tag);
  Registry m_registry;
  Access m_access;
  RegistryUrls m_urls;
  ClientPool m_client;
  RegistryBlobs m_blobs;
  RegistryManifests m_manifests;
  Settling m_settling;
  RegistryReferrers m_referrers;
};

/// The names below `prefix` ("BASE/") in the catalog of a registry that are names of capsules, sorted.
std::vector<std::string> registry_names(const Registry& registry, std::string_view prefix);

}  // namespace capsule::oci
