#include "oci/registry_store.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/semver.hpp"
#include "crypto/hash.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "oci/manifest.hpp"
#include "oci/media_types.hpp"
#include "oci/referrers_index.hpp"
#include "oci/registry_error.hpp"

namespace capsule::oci {

namespace {

constexpr std::size_t max_pages = 1000;  // of a list of tags or repositories

/// All strings of a list that comes in pages.
std::vector<std::string> read_list(http::Client& client, const Url& first, std::string_view member,
                                   std::string_view what) {
  std::vector<std::string> out;
  std::size_t pages = 0;
  for (auto page = std::optional{first}; page;) {
    const auto response = client.send({http::Method::get, *page});
    if (response.status == 404 && member == "tags") return {};
    expect_registry_success(response, what);
    const auto document = json::parse(response.body, response.url.loggable());
    const auto list = json::Cursor{document, response.url.loggable()}.optional(member);
    if (list && !list->value().is_null()) {
      for (const auto& entry : list->elements()) out.push_back(entry.string());
    }
    page = next_page(response.headers, response.url);
    if (++pages == max_pages && page) {
      throw Error{ErrorKind::invalid_input, fmt::format("{}: the list does not end", first.loggable())};
    }
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace

RegistryStore::RegistryStore(Registry registry, std::string repository, const Access& access, http::Timer timer)
    : m_registry(std::move(registry)),
      m_access(access),
      m_urls(m_registry.base, std::move(repository)),
      m_client(m_registry.connect),
      m_blobs(m_urls, m_registry, m_access),
      m_manifests(m_urls, m_client),
      m_settling(std::move(timer)),
      m_referrers(m_urls, m_client, m_manifests, m_settling) {}

std::optional<Descriptor> RegistryStore::resolve(std::string_view tag) {
  if (!is_tag(tag)) return std::nullopt;
  auto found = m_manifests.tagged(tag);
  if (!found) return std::nullopt;
  return std::move(found->descriptor);
}

std::string RegistryStore::manifest(const Digest& digest) {
  return m_manifests.by_digest(digest);
}

std::optional<std::uint64_t> RegistryStore::blob_size(const Digest& digest) {
  return m_blobs.size_of(digest);
}

bool RegistryStore::holds(const Digest& digest, std::uint64_t size) {
  return blob_size(digest) == size;
}

bool RegistryStore::holds_manifest(const Digest& digest, std::uint64_t size) {
  return m_manifests.size_of(digest) == size;
}

void RegistryStore::require_writable() {
  m_blobs.require_writable();
}

std::unique_ptr<Source> RegistryStore::open_blob(const Descriptor& descriptor) {
  return m_blobs.open(descriptor);
}

std::unique_ptr<Source> RegistryStore::open_blob_part(const Descriptor& descriptor, std::uint64_t offset) {
  return m_blobs.open_part(descriptor, offset);
}

void RegistryStore::read_blob(const Descriptor& descriptor, Sink& sink) {
  m_blobs.read(descriptor, sink);
}

bool RegistryStore::put_content(const BlobContent& content) {
  return m_blobs.put(content);
}

void RegistryStore::put_blob(const Digest& digest, std::uint64_t size, Source& content) {
  m_blobs.put(digest, size, content);
}

Descriptor RegistryStore::put_stream(std::string_view media_type, const std::function<void(Sink&)>& produce) {
  return m_blobs.put_stream(media_type, produce);
}

/// Whether nothing is left to do: the tag names it, and whatever it refers to lists it.
bool RegistryStore::is_there(const Descriptor& stored, const Manifest& manifest, std::optional<std::string_view> tag) {
  if (tag) {
    const auto found = m_manifests.tagged(*tag);
    if (!found || found->descriptor.digest != stored.digest) return false;
  } else if (m_manifests.was_absent(stored.digest) || m_manifests.size_of(stored.digest) != stored.size) {
    return false;
  }
  return !manifest.subject || m_referrers.lists(manifest.subject->digest, stored);
}

Descriptor RegistryStore::put_manifest(std::string_view media_type, std::string_view bytes,
                                       std::optional<std::string_view> tag) {
  if (tag && !is_tag(*tag)) throw Error{ErrorKind::invalid_input, fmt::format("'{}' is no tag", printable(*tag))};
  Descriptor out{std::string{media_type}, crypto::sha256(bytes), bytes.size(), {}, {}, {}};
  const auto manifest = parse_manifest(bytes, media_type, fmt::format("the manifest {}", out.digest.brief()));
  if (manifest.subject || manifest.artifact_type != media_type::image_config)
    out.artifact_type = manifest.artifact_type;
  http::Headers answer;
  const auto put = [&] {
    if (is_there(out, manifest, tag)) return false;
    answer = m_manifests.put(tag ? *tag : std::string_view{out.digest.text()}, media_type, bytes);
    return true;
  };
  if (tag ? !m_settling.time(put) : !put()) return out;
  // A registry that has the referrers API says with this header that it took note (distribution-spec 1.1).
  if (manifest.subject && answer.find("OCI-Subject") == nullptr) {
    auto entry = out;
    entry.annotations = manifest.annotations;
    m_referrers.add_to_tag(manifest.subject->digest, entry);
  }
  return out;
}

std::vector<Descriptor> RegistryStore::referrers(const Digest& subject, std::string_view artifact_type) {
  return m_referrers.of(subject, artifact_type);
}

std::vector<std::string> RegistryStore::tags(std::string_view prefix) {
  auto out = read_list(m_client, m_urls.tags(), "tags", "the tags cannot be listed");
  std::erase_if(out, [&](const std::string& tag) { return !tag.starts_with(prefix) || is_referrers_tag(tag); });
  return out;
}

void RegistryStore::exclusively(const std::function<void()>& work) {
  m_referrers.together(work);
}

void RegistryStore::settle() {
  m_settling.wait();
}

std::vector<std::string> registry_names(const Registry& registry, std::string_view prefix) {
  auto out = read_list(*registry.connect(), catalog_url(registry.base), "repositories",
                       "this registry does not list its repositories, give a name");
  std::erase_if(out, [&](const std::string& name) { return !name.starts_with(prefix); });
  for (auto& name : out) name.erase(0, prefix.size());
  std::erase_if(out, [](const std::string& name) { return !is_name(name); });
  return out;
}

}  // namespace capsule::oci
