#pragma once

#include <string_view>

namespace capsule::oci::media_type {

inline constexpr std::string_view image_index = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view image_manifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view image_config = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view docker_manifest = "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view docker_list = "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view layer_gzip = "application/vnd.oci.image.layer.v1.tar+gzip";
inline constexpr std::string_view layer_tar = "application/vnd.oci.image.layer.v1.tar";
inline constexpr std::string_view layer_zstd = "application/vnd.oci.image.layer.v1.tar+zstd";
inline constexpr std::string_view empty = "application/vnd.oci.empty.v1+json";
inline constexpr std::string_view sigstore_bundle = "application/vnd.dev.sigstore.bundle.v0.3+json";
inline constexpr std::string_view capsule = "application/vnd.industriverse.capsule.v1";
inline constexpr std::string_view run_record = "application/vnd.industriverse.capsule.run-record.v1+json";
inline constexpr std::string_view anchor_receipt = "application/vnd.industriverse.capsule.anchor-receipt.v1+json";
inline constexpr std::string_view index_record = "application/vnd.industriverse.capsule.index-record.v1+json";
inline constexpr std::string_view index_head = "application/vnd.industriverse.capsule.index-head.v1+json";

}  // namespace capsule::oci::media_type
