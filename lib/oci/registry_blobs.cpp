#include "oci/registry_blobs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "http/retry.hpp"
#include "oci/blob_download.hpp"
#include "oci/blob_upload.hpp"
#include "oci/checked_source.hpp"
#include "oci/registry_error.hpp"
#include "oci/spooled_blob.hpp"

namespace capsule::oci {

namespace {

/// What is not worth a thread or a file.
constexpr std::uint64_t small = std::uint64_t{1} << 20U;

class TextSource final : public Source {
 public:
  explicit TextSource(std::string text) : m_text(std::move(text)), m_view(as_bytes(m_text)) {}
  std::size_t read(MutableBytes buffer) override { return m_view.read(buffer); }

 private:
  std::string m_text;
  ViewSource m_view;
};

}  // namespace

RegistryBlobs::RegistryBlobs(const RegistryUrls& urls, const Registry& registry, const Access& access)
    : m_urls(urls), m_registry(registry), m_access(access), m_client(registry.connect_once) {}

std::optional<std::uint64_t> RegistryBlobs::size_of_put(const Digest& digest) {
  const std::lock_guard lock{m_mutex};
  const auto found = m_put.find(digest);
  if (found == m_put.end()) return std::nullopt;
  return found->second;
}

std::optional<std::uint64_t> RegistryBlobs::size_of(const Digest& digest) {
  if (const auto known = size_of_put(digest)) return known;
  http::RetryingClient client{m_client, {.total = m_access.time_limit}};
  const auto response = client.send({http::Method::head, m_urls.blob(digest)});
  if (response.status == 404) return std::nullopt;
  expect_registry_success(response, "the blob cannot be found");
  const auto size = http::Head{response.status, response.headers}.content_length();
  if (!size) {
    throw Error{ErrorKind::invalid_input, fmt::format("{} does not say how large it is", response.url.loggable())};
  }
  return size;
}

void RegistryBlobs::require_writable() {
  http::RetryingClient client{m_client, {.total = m_access.time_limit}};
  const auto response = client.send({http::Method::post, m_urls.uploads()});
  expect_registry_success(response, "the registry cannot be written to");
  if (const auto* location = response.headers.find("Location"))
    static_cast<void>(client.send({http::Method::del, upload_location(response.url, *location)}));
}

std::unique_ptr<Source> RegistryBlobs::open(const Descriptor& blob) {
  return open(blob, DownloadSettings{});
}

std::unique_ptr<Source> RegistryBlobs::open_part(const Descriptor& blob, std::uint64_t offset) {
  return open(blob, DownloadSettings{.check_digest = false, .have = offset});
}

std::unique_ptr<Source> RegistryBlobs::open(const Descriptor& blob, DownloadSettings settings) {
  settings.retry.total = m_access.time_limit;
  if (blob.size > small) return open_download(m_registry.connect_once, m_urls.blob(blob.digest), blob, settings);
  StringSink sink{static_cast<std::size_t>(blob.size)};
  download_blob(m_client, m_urls.blob(blob.digest), blob, sink, settings);
  return std::make_unique<TextSource>(sink.take());
}

void RegistryBlobs::read(const Descriptor& blob, Sink& sink) {
  download_blob(m_client, m_urls.blob(blob.digest), blob, sink, {.retry = {.total = m_access.time_limit}});
}

bool RegistryBlobs::put(const BlobContent& content) {
  UploadSettings settings;
  settings.retry.total = m_access.time_limit;
  settings.records = m_access.uploads;
  const BlobHolders holders{m_access.uploads, m_urls.base()};
  const auto how = upload_blob(m_client, {m_urls.blob(content.digest), m_urls.uploads(), mount_from(content, holders)},
                               content, settings);
  if (content.size >= BlobHolders::worthwhile_bytes) holders.add(content.digest, m_urls.repository());
  const std::lock_guard lock{m_mutex};
  m_put.insert_or_assign(content.digest, content.size);
  return how == Uploaded::sent;
}

/// The other repositories of this registry that may have it.
std::vector<std::string> RegistryBlobs::mount_from(const BlobContent& content, const BlobHolders& holders) const {
  if (content.size < BlobHolders::worthwhile_bytes) return {};
  auto out = m_access.mount_from;
  for (auto& repository : holders.of(content.digest)) {
    if (std::find(out.begin(), out.end(), repository) == out.end()) out.push_back(std::move(repository));
  }
  std::erase(out, m_urls.repository());
  return out;
}

void RegistryBlobs::put(const Digest& digest, std::uint64_t size, Source& content) {
  if (size_of(digest) == size) return;
  CheckedSource checked{content, digest, size};
  if (size <= small) {
    StringSink text{small};
    copy(checked, text);
    put({digest, size, [&](std::uint64_t offset) {
           return std::make_unique<ViewSource>(as_bytes(text.text()).subspan(static_cast<std::size_t>(offset)));
         }});
    return;
  }
  SpooledBlob spooled;
  copy(checked, spooled);
  put(spooled.content(digest));
}

Descriptor RegistryBlobs::put_stream(std::string_view media_type, const std::function<void(Sink&)>& produce) {
  SpooledBlob spooled;
  crypto::HashingSink hashing{spooled};
  produce(hashing);
  Descriptor out{std::string{media_type}, hashing.finish(), hashing.count(), {}, {}, {}};
  put(spooled.content(out.digest));
  return out;
}

}  // namespace capsule::oci
