#include "image/published_package.hpp"

#include <fmt/format.h>

#include <deque>

#include "core/error.hpp"
#include "core/semver.hpp"
#include "crypto/hash.hpp"
#include "image/published_form.hpp"
#include "oci/manifest.hpp"
#include "oci/media_types.hpp"

namespace capsule::image {

namespace {

constexpr std::size_t max_layers = 128;
constexpr std::size_t layers_at_once = 2;

[[noreturn]] void refuse(const Digest& index, std::string_view reason) {
  throw Error{ErrorKind::invalid_input, fmt::format("{} is no published capsule: {}", index.text(), reason)};
}

const std::string& note(const oci::Manifest& manifest, std::string_view key, const Digest& index) {
  const auto found = manifest.annotations.find(std::string{key});
  if (found == manifest.annotations.end()) refuse(index, fmt::format("the annotation {} is missing", key));
  return found->second;
}

/// Layer after layer. The next ones are on their way already, each as far ahead as its own buffer is large.
class Concatenated final : public Source {
 public:
  Concatenated(oci::Store& store, std::vector<oci::Descriptor> layers, std::uint64_t offset)
      : m_store(store), m_layers(std::move(layers)), m_skip(offset) {
    while (m_next < m_layers.size() && m_skip >= m_layers[m_next].size) m_skip -= m_layers[m_next++].size;
  }

  std::size_t read(MutableBytes buffer) override {
    while (true) {
      open_more();
      if (m_open.empty()) return 0;
      if (const auto count = m_open.front()->read(buffer); count != 0 || buffer.empty()) return count;
      m_open.pop_front();
    }
  }

 private:
  void open_more() {
    while (m_open.size() < layers_at_once && m_next < m_layers.size()) {
      m_open.push_back(m_store.open_blob_part(m_layers[m_next++], m_skip));
      m_skip = 0;
    }
  }

  oci::Store& m_store;
  std::vector<oci::Descriptor> m_layers;
  std::size_t m_next = 0;
  std::uint64_t m_skip;  ///< bytes of the next layer
  std::deque<std::unique_ptr<Source>> m_open;
};

}  // namespace

oci::Descriptor find_index(oci::Store& store, const oci::Reference& reference) {
  if (reference.tag) {
    const auto tagged = oci::read_tagged(store, *reference.tag);
    if (!tagged) throw Error{ErrorKind::not_found, fmt::format("{} is not there", reference.text())};
    if (reference.digest && *reference.digest != tagged->descriptor.digest) {
      throw Error{ErrorKind::verification_failed,
                  fmt::format("{}: the tag names {}", reference.text(), tagged->descriptor.digest.text())};
    }
    return tagged->descriptor;
  }
  if (!reference.digest) {
    throw Error{ErrorKind::usage,
                fmt::format("{} names no version: add :<version> or @sha256:<digest>", reference.text())};
  }
  const auto size = with_trace(reference.text(), [&] { return store.manifest(*reference.digest).size(); });
  return {std::string{oci::media_type::image_index}, *reference.digest, size, {}, {}, {}};
}

PublishedPackage read_published(oci::Store& store, const Digest& digest) {
  const auto bytes = store.manifest(digest);
  const auto index = oci::parse_manifest(bytes, oci::media_type::image_index, digest.text());
  const oci::Descriptor* package = nullptr;
  const oci::Descriptor* image = nullptr;
  for (const auto& entry : index.manifests) {
    auto& place = entry.artifact_type == oci::media_type::capsule ? package : image;
    if (place != nullptr) refuse(digest, "it has more than one package or image");
    place = &entry;
  }
  if (package == nullptr || image == nullptr) refuse(digest, "it has no package or no image");
  const auto manifest =
      oci::parse_manifest(store.manifest(package->digest), package->media_type, package->digest.text());
  if (manifest.is_index() || manifest.artifact_type != oci::media_type::capsule) {
    refuse(digest, "its package's manifest is of another type");
  }
  if (manifest.layers.empty() || manifest.layers.size() > max_layers) refuse(digest, "it has no or too many layers");
  PublishedPackage out{{std::string{oci::media_type::image_index}, digest, bytes.size(), {}, {}, {}},
                       *package,
                       *image,
                       note(index, annotation::name, digest),
                       note(index, annotation::version, digest),
                       Digest::parse(note(index, annotation::capsule_digest, digest)),
                       Digest::parse(note(index, annotation::package_digest, digest)),
                       manifest.layers,
                       0};
  for (const auto& layer : out.layers) {
    if (layer.media_type != oci::media_type::layer_gzip) refuse(digest, "a layer is of another type");
    out.size += layer.size;
  }
  for (const auto key :
       {annotation::name, annotation::version, annotation::capsule_digest, annotation::package_digest}) {
    if (note(index, key, digest) != note(manifest, key, digest)) refuse(digest, "its index and package disagree");
  }
  return out;
}

std::string published_version(oci::Store& store, const Digest& index) {
  return note(oci::parse_manifest(store.manifest(index), oci::media_type::image_index, index.text()),
              annotation::version, index);
}

std::unique_ptr<Source> open_package(oci::Store& store, const PublishedPackage& published, std::uint64_t offset) {
  return std::make_unique<Concatenated>(store, published.layers, offset);
}

void check_same(const PublishedPackage& published, const VerifiedCapsule& capsule) {
  const auto check = [&](std::string_view what, std::string_view claimed, std::string_view real) {
    if (claimed == real) return;
    throw Error{ErrorKind::verification_failed,
                fmt::format("{} claims the {} {}, its package has {}", published.index.digest.text(), what,
                            printable(claimed), real)};
  };
  check("name", published.name, capsule.manifest().name);
  check("version", published.version, capsule.manifest().version);
  check("capsule digest", published.capsule_digest.text(), capsule.capsule_digest().text());
  check("package digest", published.package_digest.text(), capsule.package_digest().text());
}

PublishedPackage read_published(oci::Store& store, const oci::Reference& reference) {
  auto published = read_published(store, find_index(store, reference).digest);
  const bool other_version = reference.tag && is_version(*reference.tag) && *reference.tag != published.version;
  if (published.name != reference.name || other_version) {
    throw Error{ErrorKind::verification_failed, fmt::format("{}: what is there calls itself {}:{}", reference.text(),
                                                            printable(published.name), printable(published.version))};
  }
  return published;
}

bool is_index_of(std::string_view text, const ReadPackage& package) {
  const auto digest = crypto::sha256(text);
  const auto index = oci::parse_manifest(text, oci::media_type::image_index, digest.text());
  const auto& manifest = package.head.manifest;
  return note(index, annotation::name, digest) == manifest.name &&
         note(index, annotation::version, digest) == manifest.version &&
         note(index, annotation::capsule_digest, digest) == package.capsule_digest.text() &&
         note(index, annotation::package_digest, digest) == package.package_digest.text();
}

}  // namespace capsule::image
