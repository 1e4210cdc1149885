#include "image/base_image.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "archive/image_tar.hpp"
#include "image/base_config.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "oci/manifest.hpp"
#include "oci/media_types.hpp"

namespace capsule::image {

namespace {

using archive::Compression;

/// The OCI type of a layer in a manifest, which may be written in Docker's words.
std::string_view oci_type_of(std::string_view type) {
  if (type == "application/vnd.docker.image.rootfs.diff.tar.gzip") return oci::media_type::layer_gzip;
  if (type == "application/vnd.docker.image.rootfs.diff.tar") return oci::media_type::layer_tar;
  return type;
}

/// Error invalid_input where the part cannot be a layer: it is no tar, or one that leads whoever unpacks it astray.
void check_layer(const TarballPart& part, std::string_view name) {
  with_trace(fmt::format("the layer {}", printable(name)), [&] {
    if (part.text) refuse_base("it is a JSON document, a tar is wanted");
    if (part.unfit_for_layer) throw *part.unfit_for_layer;
  });
}

bool is_hex64(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// Whether a path is one that images in parts have, and file systems have not: blobs of an OCI layout, layers of a
/// docker archive.
bool is_path_of_image(std::string_view path) {
  constexpr std::string_view blobs = "blobs/sha256/";
  constexpr std::string_view layer = "/layer.tar";
  if (path.starts_with(blobs)) return is_hex64(path.substr(blobs.size()));
  return path.ends_with(layer) && is_hex64(path.substr(0, path.size() - layer.size()));
}

bool has_paths_of_image(const TarballScan& scan) {
  const auto is_one = [](const auto& entry) { return is_path_of_image(entry.first); };
  return std::any_of(scan.parts.begin(), scan.parts.end(), is_one) ||
         std::any_of(scan.links.begin(), scan.links.end(), is_one);
}

const TarballPart& wanted_part(const TarballScan& scan, const std::string& path) {
  const auto* found = scan.find(path);
  if (found == nullptr) refuse_base(fmt::format("it looks like an OCI layout, but {} is missing", path));
  return *found;
}

class OciLayout {
 public:
  OciLayout(const TarballScan& scan, std::string_view architecture) : m_scan(scan), m_architecture(architecture) {}

  BaseImage read() {
    const auto marker = json::parse(text_of(wanted_part(m_scan, "oci-layout"), "oci-layout"), "oci-layout");
    const auto version = json::Cursor{marker, "oci-layout"}.at("imageLayoutVersion");
    if (!version.string().starts_with("1.")) version.fail("1.0.0 is wanted");
    const auto& index = text_of(wanted_part(m_scan, "index.json"), "index.json");
    look_into(oci::parse_manifest(index, oci::media_type::image_index, "index.json"), 0);
    if (m_found.empty()) refuse_base(fmt::format("it has no image for linux/{}", m_architecture));
    if (m_found.size() > 1) {
      refuse_base(fmt::format("it has {} images for linux/{}: one is wanted", m_found.size(), m_architecture));
    }
    return image_of(*m_found.begin());
  }

 private:
  static constexpr int max_nesting = 4;
  static constexpr std::size_t max_manifests = 256;

  static std::string path_of(const Digest& digest) {
    return fmt::format("blobs/{}/{}", digest.algorithm(), digest.hex());
  }

  /// The part that a descriptor names, if it is what the descriptor says.
  const TarballPart& part(const oci::Descriptor& descriptor) const {
    if (descriptor.digest.algorithm() != "sha256") refuse_base("only sha256 digests are accepted");
    const auto* found = m_scan.find(path_of(descriptor.digest));
    if (found == nullptr) refuse_base(fmt::format("the blob {} is missing", descriptor.digest.text()));
    if (found->digest != descriptor.digest) {
      base_mismatch(fmt::format("the blob {} has the digest {}", descriptor.digest.text(), found->digest.text()));
    }
    if (found->size != descriptor.size) {
      base_mismatch(fmt::format("the blob {} has {} bytes, its descriptor says {}", descriptor.digest.text(),
                                found->size, descriptor.size));
    }
    return *found;
  }

  oci::Manifest manifest(const oci::Descriptor& descriptor) const {
    return oci::parse_manifest(text_of(part(descriptor), descriptor.digest.text()), descriptor.media_type,
                               descriptor.digest.text());
  }

  BaseConfig config(const oci::Manifest& manifest) const {
    const auto& descriptor = manifest.config.value();
    return parse_base_config(text_of(part(descriptor), descriptor.digest.text()), descriptor.digest.text());
  }

  /// Whether the platform of a descriptor, if it has one, is another than the wanted.
  [[nodiscard]] bool is_for_others(const oci::Descriptor& descriptor) const {
    if (!descriptor.platform) return false;
    const json::Cursor platform{*descriptor.platform, "platform"};
    return platform.at("os").string() != "linux" || platform.at("architecture").string() != m_architecture;
  }

  void look_into(const oci::Manifest& index, int depth) {
    if (depth > max_nesting) refuse_base("its indexes are nested too deep");
    for (const auto& descriptor : index.manifests) {
      if (++m_looked_at > max_manifests) refuse_base("it has too many manifests");
      if (is_for_others(descriptor)) continue;
      const auto found = manifest(descriptor);
      if (found.is_index())
        look_into(found, depth + 1);
      else if (found.config->media_type == oci::media_type::image_config ||
               found.config->media_type == "application/vnd.docker.container.image.v1+json")
        if (config(found).architecture == m_architecture) m_found.insert({descriptor.digest.text(), descriptor});
    }
  }

  BaseImage image_of(const std::pair<const std::string, oci::Descriptor>& found) const {
    const auto document = manifest(found.second);
    std::vector<BaseLayer> layers;
    for (const auto& layer : document.layers) {
      const auto& content = part(layer);
      check_layer(content, layer.digest.text());
      const auto type = layer_type(content.compression);
      if (oci_type_of(layer.media_type) != type) {
        refuse_base(
            fmt::format("the layer {} is said to be {}, and is {}", layer.digest.text(), layer.media_type, type));
      }
      layers.push_back({{std::string{type}, layer.digest, layer.size, {}, {}, {}},
                        content.diff_id.value(),
                        m_scan.follow(path_of(layer.digest))});
    }
    auto out = join_base(config(document), std::move(layers));
    out.form = BaseImage::Form::oci_layout;
    return out;
  }

  const TarballScan& m_scan;
  std::string_view m_architecture;
  std::map<std::string, oci::Descriptor> m_found;
  std::size_t m_looked_at = 0;
};

BaseImage read_docker_archive(const TarballScan& scan, const json::Value& document, std::string_view architecture) {
  const json::Cursor top{document, "manifest.json"};
  const auto images = top.elements();
  if (images.size() != 1) refuse_base(fmt::format("its manifest.json has {} images, one is wanted", images.size()));
  const auto part = [&](const json::Cursor& name) -> const TarballPart& {
    const auto* found = scan.find(archive::normal_image_path(name.string()));
    if (found == nullptr) name.fail("this is not in the tarball");
    return *found;
  };
  const auto config_name = images.front().at("Config");
  auto config = parse_base_config(text_of(part(config_name), config_name.string()), printable(config_name.string()));
  if (config.architecture != architecture) {
    refuse_base(fmt::format("its image is for {}, the capsule wants {}", printable(config.architecture), architecture));
  }
  std::vector<BaseLayer> layers;
  for (const auto& name : images.front().at("Layers").elements()) {
    const auto& content = part(name);
    check_layer(content, name.string());
    layers.push_back({{std::string{layer_type(content.compression)}, content.digest, content.size, {}, {}, {}},
                      content.diff_id.value(),
                      scan.follow(archive::normal_image_path(name.string()))});
  }
  auto out = join_base(std::move(config), std::move(layers));
  out.form = BaseImage::Form::docker_archive;
  return out;
}

BaseImage file_system(const TarballScan& scan) {
  if (scan.unfit_for_files) throw *scan.unfit_for_files;
  const bool as_it_is = scan.compression != Compression::xz;
  BaseImage out;
  out.form = BaseImage::Form::file_system;
  const auto type = as_it_is ? layer_type(scan.compression) : oci::media_type::layer_tar;
  out.layers.push_back({{std::string{type},
                         as_it_is ? scan.digest.value() : scan.tar_digest.value(),
                         as_it_is ? scan.size : scan.tar_size,
                         {},
                         {},
                         {}},
                        scan.tar_digest.value(),
                        {}});
  return out;
}

/// Whether manifest.json is that of a docker archive, whole or broken: a list. An object with members is another file
/// of that name, as web applications have it; an empty one is nothing, and is not guessed at.
bool is_docker_manifest(const TarballPart* part) {
  if (part == nullptr || !part->text) return false;
  const std::string_view text{*part->text};
  const auto start = text.find_first_not_of(" \t\r\n");
  if (text[start] == '[') return true;
  return text.find_first_not_of(" \t\r\n}", start + 1) == std::string_view::npos;
}

void check_parts(const TarballScan& scan) {
  if (scan.unfit_for_parts) throw *scan.unfit_for_parts;
  if (scan.too_many_parts) refuse_base("too many files or too much JSON for an image");
}

BaseImage judge(const TarballScan& scan, std::string_view architecture) {
  const bool in_parts = has_paths_of_image(scan);
  if (scan.find("oci-layout") != nullptr || (in_parts && scan.find("index.json") != nullptr)) {
    check_parts(scan);
    return OciLayout{scan, architecture}.read();
  }
  const auto* manifest = scan.find("manifest.json");
  if (is_docker_manifest(manifest) || (in_parts && manifest != nullptr && manifest->text)) {
    check_parts(scan);
    return read_docker_archive(scan, json::parse(*manifest->text, "manifest.json"), architecture);
  }
  if (in_parts) refuse_base("it looks like an image in parts, but neither index.json nor manifest.json is there");
  if (scan.too_many_parts && manifest != nullptr && !manifest->text) check_parts(scan);
  return file_system(scan);
}

}  // namespace

BaseImage base_image_of(const TarballScan& scan, std::string_view architecture) {
  return with_trace("capsule.tarball", [&] { return judge(scan, architecture); });
}

}  // namespace capsule::image
