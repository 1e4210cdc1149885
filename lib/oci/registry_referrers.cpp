#include "oci/registry_referrers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/error.hpp"
#include "log/log.hpp"
#include "oci/media_types.hpp"
#include "oci/referrers_index.hpp"
#include "oci/registry_error.hpp"
#include "oci/store.hpp"

namespace capsule::oci {

namespace {

constexpr std::size_t max_page_bytes = std::size_t{16} << 20U;  // of all pages of one list
constexpr std::chrono::seconds longest_list{60};
constexpr int max_rounds = 10;

bool contains(const std::vector<Descriptor>& entries, const Digest& digest) {
  return std::any_of(entries.begin(), entries.end(), [&](const Descriptor& entry) { return entry.digest == digest; });
}

}  // namespace

std::optional<std::vector<Descriptor>> RegistryReferrers::by_api(const Digest& subject,
                                                                 std::string_view artifact_type) {
  std::vector<Descriptor> out;
  std::set<Digest> known;
  const auto deadline = m_settling.timer().now() + longest_list;
  std::size_t bytes = 0;
  for (auto page = std::optional{m_urls.referrers(subject, artifact_type)}; page;) {
    http::Request request{http::Method::get, *page};
    request.headers.add("Accept", media_type::image_index);
    const auto response = m_client.send(request);
    if (response.status == 404) return std::nullopt;
    expect_registry_success(response, "the referrers cannot be listed");
    for (auto& entry : parse_referrers(response.body, response.url.loggable())) {
      if (known.insert(entry.digest).second) out.push_back(std::move(entry));
    }
    out = worth_reading(std::move(out), artifact_type);
    bytes += response.body.size();
    page = next_page(response.headers, response.url);
    if (page && (bytes > max_page_bytes || m_settling.timer().now() > deadline)) {
      log::warning("a registry's list of referrers does not end; the rest is left out", {{"subject", subject.text()}});
      break;
    }
  }
  return out;
}

std::vector<Descriptor> RegistryReferrers::by_tag(const Digest& subject, std::string* etag) {
  const auto found = m_manifests.tagged(referrers_tag(subject));
  if (!found) return {};
  if (etag != nullptr) *etag = found->etag;
  return parse_referrers(found->bytes, fmt::format("the referrers of {}", subject.text()));
}

std::vector<Descriptor> RegistryReferrers::of(const Digest& subject, std::string_view artifact_type) {
  auto candidates = by_api(subject, artifact_type);
  if (!candidates) candidates = worth_reading(by_tag(subject), artifact_type);
  return checked_referrers(*std::move(candidates), subject, artifact_type,
                           [this](const Digest& digest) { return m_manifests.by_digest(digest); });
}

bool RegistryReferrers::lists(const Digest& subject, const Descriptor& referrer) {
  const auto listed = by_api(subject, referrer.artifact_type);
  return contains(listed ? *listed : by_tag(subject), referrer.digest);
}

bool RegistryReferrers::put_into_tag(const Digest& subject, const Descriptor& referrer) {
  std::string etag;
  auto entries = by_tag(subject, &etag);
  if (contains(entries, referrer.digest)) return false;
  entries.push_back(referrer);
  try {
    m_manifests.put(referrers_tag(subject), media_type::image_index, referrers_text(entries), etag);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::conflict) throw;  // another writer was faster, and the registry says so
  }
  return true;
}

void RegistryReferrers::add_to_tag(const Digest& subject, const Descriptor& referrer) {
  if (!m_settling.time([&] { return put_into_tag(subject, referrer); })) return;
  m_added.emplace_back(subject, referrer);
  if (m_together == 0) stand();
}

void RegistryReferrers::stand() {
  for (int round = 0; round < max_rounds; ++round) {
    if (m_added.empty()) return;
    m_settling.wait();
    m_settling.time([&] {
      std::erase_if(m_added, [&](const auto& one) { return !put_into_tag(one.first, one.second); });
      return !m_added.empty();
    });
  }
  const auto subject = std::exchange(m_added, {}).front().first;
  throw Error{ErrorKind::busy,
              fmt::format("other writers keep replacing the referrers of {}: try again", subject.text())};
}

void RegistryReferrers::together(const std::function<void()>& work) {
  ++m_together;
  try {
    work();
  } catch (...) {
    if (--m_together == 0) m_added.clear();
    throw;
  }
  if (--m_together == 0) stand();
}

}  // namespace capsule::oci
