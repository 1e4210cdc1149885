#include "push_images.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "oci/layout_index.hpp"
#include "oci/layout_store.hpp"
#include "oci/manifest.hpp"
#include "oci/store.hpp"

namespace push_images {

using namespace capsule;

namespace {

struct Tagged {
  std::string name;
  std::string tag;
  oci::Descriptor image;
};

std::vector<Tagged> tagged_images(const fs::Path& layout) {
  const auto file = layout / "index.json";
  const auto document = json::parse(fs::read_file(file, oci::LayoutIndex::max_bytes), file.string());
  std::vector<Tagged> out;
  for (const auto& entry : json::Cursor{document, file.string()}.at("manifests").elements()) {
    auto image = oci::Descriptor::from_json(entry);
    const auto found = image.annotations.find(std::string{oci::LayoutIndex::tag_annotation});
    const auto text = found == image.annotations.end() ? std::string{} : found->second;
    const auto slash = text.rfind('/');
    const auto colon = text.rfind(':');
    if (slash == std::string::npos || colon == std::string::npos || colon < slash ||
        !oci::is_tag(text.substr(colon + 1))) {
      entry.fail("a tag <anything>/<name>:<version> is wanted");
    }
    out.push_back({text.substr(slash + 1, colon - slash - 1), text.substr(colon + 1), std::move(image)});
  }
  if (out.empty()) throw Error{ErrorKind::invalid_input, fmt::format("{} has no images", file.string())};
  return out;
}

/// Puts a manifest or an index with all below it; `tag` for the topmost alone.
void copy(oci::Store& from, oci::Store& to, const oci::Descriptor& what, std::optional<std::string_view> tag) {
  const auto bytes = from.manifest(what.digest);
  const auto manifest = oci::parse_manifest(bytes, what.media_type, what.digest.text());
  for (const auto& below : manifest.manifests) copy(from, to, below, std::nullopt);
  auto blobs = manifest.layers;
  if (manifest.config) blobs.push_back(*manifest.config);
  for (const auto& blob : blobs) {
    const auto content = from.open_blob(blob);
    to.put_blob(blob.digest, blob.size, *content);
  }
  (void)to.put_manifest(what.media_type, bytes, tag);
}

}  // namespace

std::vector<PushedImage> push(const fs::Path& layout, const oci::RegistryLocation& registry) {
  oci::LayoutStore from{layout};
  std::vector<PushedImage> out;
  for (const auto& [name, tag, image] : tagged_images(layout)) {
    const auto to = oci::open_store(registry, name, oci::Create::yes);
    copy(from, *to, image, tag);
    out.push_back({name, tag, image.digest});
  }
  return out;
}

}  // namespace push_images
