#include "oci/registry_store.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/semver.hpp"
#include "crypto/hash.hpp"
#include "fs/temporary.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "oci/checked_source.hpp"
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

/// A blob, fetched piece by piece while it is read.
class FetchedBlob final : public Source {
 public:
  FetchedBlob(Url url, std::uint64_t size, std::unique_ptr<http::Client> client)
      : m_url(std::move(url)), m_size(size), m_client(std::move(client)) {}

  std::size_t read(MutableBytes buffer) override {
    if (m_rest.empty() && m_offset < m_size) fetch();
    const auto count = std::min(buffer.size(), m_rest.size());
    std::copy_n(m_rest.begin(), count, buffer.begin());
    m_rest = m_rest.subspan(count);
    return count;
  }

 private:
  void fetch() {
    constexpr std::uint64_t piece = std::uint64_t{4} << 20U;
    const auto end = std::min(m_offset + piece, m_size);
    http::Request request{http::Method::get, m_url};
    request.headers.add("Range", fmt::format("bytes={}-{}", m_offset, end - 1));
    request.time_limit = std::chrono::milliseconds{0};
    request.response_limit = m_size;
    auto response = m_client->send(request);
    if (response.status == 404) throw Error{ErrorKind::not_found, fmt::format("{} is not there", m_url.loggable())};
    expect_registry_success(response, "the blob cannot be read");
    m_piece = std::move(response.body);
    m_rest = as_bytes(m_piece);
    if (response.status == 200) {
      m_rest = m_rest.subspan(std::min<std::size_t>(m_offset, m_rest.size()));
      m_offset = m_size;
    } else {
      m_offset += m_rest.size();
    }
    if (m_rest.empty()) throw Error{ErrorKind::unavailable, fmt::format("{} ends early", m_url.loggable())};
  }

  Url m_url;
  std::uint64_t m_size;
  std::uint64_t m_offset = 0;
  std::string m_piece;
  ByteView m_rest;
  std::unique_ptr<http::Client> m_client;
};

class OwningCheckedSource final : public Source {
 public:
  OwningCheckedSource(std::unique_ptr<Source> content, const Descriptor& descriptor)
      : m_content(std::move(content)), m_checked(*m_content, descriptor.digest, descriptor.size) {}
  std::size_t read(MutableBytes buffer) override { return m_checked.read(buffer); }

 private:
  std::unique_ptr<Source> m_content;
  CheckedSource m_checked;
};

class Passed final : public Source {
 public:
  explicit Passed(Source& next) : m_next(next) {}
  std::size_t read(MutableBytes buffer) override { return m_next.read(buffer); }

 private:
  Source& m_next;
};

}  // namespace

RegistryStore::RegistryStore(Registry registry, std::string repository, const Access& access, http::Timer timer)
    : m_registry(std::move(registry)),
      m_access(access),
      m_urls(m_registry.base, std::move(repository)),
      m_client(m_registry.connect()),
      m_manifests(m_urls, *m_client),
      m_referrers(m_urls, *m_client, m_manifests, std::move(timer)) {}

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
  const auto response = m_client->send({http::Method::head, m_urls.blob(digest)});
  if (response.status == 404) return std::nullopt;
  expect_registry_success(response, "the blob cannot be found");
  const auto size = http::Head{response.status, response.headers}.content_length();
  if (!size) {
    throw Error{ErrorKind::invalid_input, fmt::format("{} does not say how large it is", response.url.loggable())};
  }
  return size;
}

bool RegistryStore::holds(const Digest& digest, std::uint64_t size) {
  return blob_size(digest) == size;
}

bool RegistryStore::holds_manifest(const Digest& digest, std::uint64_t size) {
  return m_manifests.size_of(digest) == size;
}

Url RegistryStore::begin_upload() {
  const auto response = m_client->send({http::Method::post, m_urls.uploads()});
  expect_registry_success(response, "an upload cannot be begun");
  const auto* location = response.headers.find("Location");
  if (location == nullptr) {
    throw Error{ErrorKind::invalid_input, fmt::format("{} does not say where to upload to", response.url.loggable())};
  }
  return response.url.resolve(*location);
}

void RegistryStore::require_writable() {
  static_cast<void>(m_client->send({http::Method::del, begin_upload()}));
}

std::unique_ptr<Source> RegistryStore::open_blob(const Descriptor& descriptor) {
  auto content = std::make_unique<FetchedBlob>(m_urls.blob(descriptor.digest), descriptor.size, m_registry.connect());
  return std::make_unique<OwningCheckedSource>(std::move(content), descriptor);
}

void RegistryStore::put_blob(const Digest& digest, std::uint64_t size, Source& content) {
  if (holds(digest, size)) return;
  CheckedSource checked{content, digest, size};
  http::Request request{http::Method::put, with_query(begin_upload(), "digest", digest.text())};
  request.headers.add("Content-Type", "application/octet-stream");
  request.time_limit = std::chrono::milliseconds{0};
  bool read = false;
  request.streamed_body = http::StreamedBody{size, [&]() -> std::unique_ptr<Source> {
                                               if (read)
                                                 throw Error{ErrorKind::unavailable, "the upload was interrupted"};
                                               read = true;
                                               return std::make_unique<Passed>(checked);
                                             }};
  expect_registry_success(m_client->send(request), "the blob cannot be stored");
}

Descriptor RegistryStore::put_stream(std::string_view media_type, const std::function<void(Sink&)>& produce) {
  StringSink sink{std::size_t{64} << 20U};
  produce(sink);
  const auto& text = sink.text();
  Descriptor out{std::string{media_type}, crypto::sha256(text), text.size(), {}, {}, {}};
  ViewSource source{as_bytes(text)};
  put_blob(out.digest, out.size, source);
  return out;
}

Descriptor RegistryStore::put_manifest(std::string_view media_type, std::string_view bytes,
                                       std::optional<std::string_view> tag) {
  if (tag && !is_tag(*tag)) throw Error{ErrorKind::invalid_input, fmt::format("'{}' is no tag", printable(*tag))};
  Descriptor out{std::string{media_type}, crypto::sha256(bytes), bytes.size(), {}, {}, {}};
  const auto manifest = parse_manifest(bytes, media_type, fmt::format("the manifest {}", out.digest.brief()));
  if (manifest.subject || manifest.artifact_type != media_type::image_config)
    out.artifact_type = manifest.artifact_type;
  const auto headers = m_manifests.put(tag ? *tag : std::string_view{out.digest.text()}, media_type, bytes);
  // A registry that has the referrers API says with this header that it took note (distribution-spec 1.1).
  if (manifest.subject && headers.find("OCI-Subject") == nullptr) {
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
  auto out = read_list(*m_client, m_urls.tags(), "tags", "the tags cannot be listed");
  std::erase_if(out, [&](const std::string& tag) { return !tag.starts_with(prefix) || is_referrers_tag(tag); });
  return out;
}

void RegistryStore::exclusively(const std::function<void()>& work) {
  work();
}

void RegistryStore::settle() {
  m_referrers.settle();
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
