#include "oci/registry_manifests.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <thread>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "oci/media_types.hpp"
#include "oci/registry_error.hpp"
#include "oci/store.hpp"

namespace capsule::oci {

namespace {

constexpr std::size_t remembered_bytes = std::size_t{8} << 20U;

const std::string& accepted_types() {
  static const auto text = fmt::format("{}, {}, {}, {}", media_type::image_index, media_type::image_manifest,
                                       media_type::docker_list, media_type::docker_manifest);
  return text;
}

std::string header(const http::Headers& headers, std::string_view name) {
  const auto* found = headers.find(name);
  return found == nullptr ? std::string{} : *found;
}

/// Without parameters ("; charset=utf-8").
std::string media_type_of(const http::Headers& headers) {
  auto type = header(headers, "Content-Type");
  type.resize(std::min(type.find(';'), type.size()));
  while (type.ends_with(' ')) type.pop_back();
  return type;
}

Digest digest_of(std::string_view bytes, std::string_view algorithm) {
  crypto::Hasher hasher{algorithm == "sha512" ? crypto::HashAlgorithm::sha512 : crypto::HashAlgorithm::sha256};
  hasher.update(as_bytes(bytes));
  return hasher.finish();
}

/// A registry that says another digest than its bytes have is wrong about one of them.
void check_said_digest(const http::Response& response) {
  const auto said = header(response.headers, "Docker-Content-Digest");
  if (said.empty()) return;
  const auto digest = with_trace(response.url.loggable(), [&] { return Digest::parse(said); });
  if (digest_of(response.body, digest.algorithm()) == digest) return;
  throw Error{ErrorKind::verification_failed,
              fmt::format("{} is said to be {}, its bytes are not", response.url.loggable(), digest.text())};
}

constexpr int max_again = 3;
constexpr std::chrono::milliseconds while_others_write{300};

/// docker-registry 2.8 writes the links to blobs in place: while another client puts one of those that a manifest
/// names, it reads an empty one, and calls that a wrong digest of the manifest.
bool is_passing_refusal(const http::Response& response) {
  return response.status == 400 && registry_words(response.body).starts_with("DIGEST_INVALID");
}

}  // namespace

std::optional<FetchedManifest> RegistryManifests::fetch(std::string_view name, const std::optional<Digest>& wanted,
                                                        const Seen* seen) {
  const auto remembered = seen == nullptr ? std::nullopt : known(seen->descriptor.digest);
  http::Request request{http::Method::get, m_urls.manifest(name)};
  request.headers.add("Accept", accepted_types());
  if (remembered) request.headers.add("If-None-Match", seen->etag);
  request.response_limit = Store::max_manifest_bytes;
  auto response = m_client.send(request);
  if (response.status == 404) return std::nullopt;
  if (response.status == 304 && remembered) return FetchedManifest{seen->descriptor, *remembered, seen->etag};
  expect_registry_success(response, "the manifest cannot be read");
  if (media_type_of(response.headers) == "text/html" && response.body.starts_with('<')) {
    throw Error{ErrorKind::unavailable,
                fmt::format("{} answers with a web page, as a proxy or a login page does that stands before the "
                            "registry: log in there, or go around it",
                            response.url.loggable())};
  }
  check_said_digest(response);
  const auto digest = digest_of(response.body, wanted ? wanted->algorithm() : "sha256");
  if (wanted && digest != *wanted) {
    throw Error{ErrorKind::verification_failed,
                fmt::format("{} has another content: its digest is {}", response.url.loggable(), digest.text())};
  }
  Descriptor descriptor{media_type_of(response.headers), digest, response.body.size(), {}, {}, {}};
  return FetchedManifest{std::move(descriptor), std::move(response.body), header(response.headers, "ETag")};
}

std::optional<FetchedManifest> RegistryManifests::tagged(std::string_view tag) {
  constexpr std::size_t most_tags = 64;
  const auto before = forget(tag);
  auto found = fetch(tag, std::nullopt, before ? &*before : nullptr);
  if (!found) return found;
  remember(found->descriptor.digest, found->bytes);
  const std::lock_guard lock{m_mutex};
  if (!found->etag.empty() && m_tags.size() < most_tags)
    m_tags.insert_or_assign(std::string{tag}, Seen{found->descriptor, found->etag});
  return found;
}

std::optional<RegistryManifests::Seen> RegistryManifests::forget(std::string_view tag) {
  const std::lock_guard lock{m_mutex};
  const auto found = m_tags.find(tag);
  if (found == m_tags.end()) return std::nullopt;
  auto out = std::move(found->second);
  m_tags.erase(found);
  return out;
}

std::optional<std::string> RegistryManifests::known(const Digest& digest) {
  const std::lock_guard lock{m_mutex};
  const auto found =
      std::find_if(m_known.begin(), m_known.end(), [&](const auto& entry) { return entry.first == digest; });
  if (found == m_known.end()) return std::nullopt;
  return found->second;
}

std::string RegistryManifests::by_digest(const Digest& digest) {
  if (auto text = known(digest)) return *std::move(text);
  auto found = fetch(digest.text(), digest);
  if (!found) {
    throw Error{ErrorKind::not_found, fmt::format("{} is not there", m_urls.manifest(digest.text()).loggable())};
  }
  remember(digest, found->bytes);
  return std::move(found->bytes);
}

void RegistryManifests::remember(const Digest& digest, const std::string& bytes) {
  const std::lock_guard lock{m_mutex};
  std::erase_if(m_known, [&](const auto& entry) { return entry.first == digest; });
  std::size_t size = bytes.size();
  for (const auto& [other, text] : m_known) size += text.size();
  while (size > remembered_bytes && !m_known.empty()) {
    size -= m_known.front().second.size();
    m_known.pop_front();
  }
  m_known.emplace_back(digest, bytes);
}

std::optional<std::uint64_t> RegistryManifests::size_of(const Digest& digest) {
  http::Request request{http::Method::head, m_urls.manifest(digest.text())};
  request.headers.add("Accept", accepted_types());
  const auto response = m_client.send(request);
  const std::lock_guard lock{m_mutex};
  if (response.status == 404) {
    m_absent.insert(digest);
    return std::nullopt;
  }
  m_absent.erase(digest);
  expect_registry_success(response, "the manifest cannot be found");
  return http::Head{response.status, response.headers}.content_length();
}

bool RegistryManifests::was_absent(const Digest& digest) {
  const std::lock_guard lock{m_mutex};
  return m_absent.erase(digest) != 0;
}

http::Headers RegistryManifests::put(std::string_view name, std::string_view media_type, std::string_view bytes,
                                     const std::string& if_match) {
  http::Request request{http::Method::put, m_urls.manifest(name)};
  request.headers.add("Content-Type", media_type);
  if (!if_match.empty()) request.headers.add("If-Match", if_match);
  request.body = bytes;
  auto response = m_client.send(request);
  for (int again = 0; again < max_again && is_passing_refusal(response); ++again) {
    std::this_thread::sleep_for(while_others_write);
    response = m_client.send(request);
  }
  expect_registry_success(response, "the manifest cannot be stored");
  return std::move(response.headers);
}

}  // namespace capsule::oci
