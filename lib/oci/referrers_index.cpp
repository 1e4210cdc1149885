#include "oci/referrers_index.hpp"

#include <fmt/format.h>

#include <chrono>

#include "core/error.hpp"
#include "json/write.hpp"
#include "log/log.hpp"
#include "oci/manifest.hpp"
#include "oci/media_types.hpp"
#include "oci/store.hpp"

namespace capsule::oci {

namespace {

constexpr std::size_t max_bytes = std::size_t{16} << 20U;  // of manifests read for one list
constexpr std::chrono::seconds longest_reading{60};

}  // namespace

std::string referrers_tag(const Digest& subject) {
  // A tag has at most 128 bytes: "sha512-" and 121 of its digits (distribution-spec 1.1: truncated).
  return fmt::format("{}-{}", subject.algorithm(), subject.hex()).substr(0, 128);
}

bool is_referrers_tag(std::string_view tag) noexcept {
  const bool sha256_form = tag.starts_with("sha256-") && tag.size() == 7 + 64;
  const bool sha512_form = tag.starts_with("sha512-") && tag.size() == 128;
  return (sha256_form || sha512_form) && tag.substr(7).find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::vector<Descriptor> parse_referrers(std::string_view bytes, const std::string& what) {
  return parse_manifest(bytes, media_type::image_index, what).manifests;
}

std::string referrers_text(const std::vector<Descriptor>& referrers) {
  json::Array entries;
  for (const auto& entry : referrers) entries.push_back(entry.to_json());
  return json::compact(
      json::Object{{"schemaVersion", 2}, {"mediaType", media_type::image_index}, {"manifests", std::move(entries)}});
}

std::vector<Descriptor> worth_reading(std::vector<Descriptor> candidates, std::string_view artifact_type) {
  if (!artifact_type.empty()) {
    std::erase_if(candidates, [&](const Descriptor& entry) {
      return !entry.artifact_type.empty() && entry.artifact_type != artifact_type;
    });
  }
  if (candidates.size() > Store::max_referrers) {
    constexpr auto half = static_cast<std::ptrdiff_t>(Store::max_referrers / 2);
    candidates.erase(candidates.begin() + half, candidates.end() - half);
  }
  return candidates;
}

std::vector<Descriptor> checked_referrers(std::vector<Descriptor> candidates, const Digest& subject,
                                          std::string_view artifact_type,
                                          const std::function<std::string(const Digest&)>& read) {
  const auto deadline = std::chrono::steady_clock::now() + longest_reading;
  std::vector<Descriptor> out;
  std::size_t bytes = 0;
  for (auto& candidate : candidates) {
    if (out.size() == Store::max_referrers || bytes > max_bytes || std::chrono::steady_clock::now() > deadline) break;
    try {
      const auto text = read(candidate.digest);
      bytes += text.size();
      auto parsed = parse_manifest(text, candidate.media_type, candidate.digest.text());
      if (!parsed.subject || parsed.subject->digest != subject) continue;
      if (!artifact_type.empty() && parsed.artifact_type != artifact_type) continue;
      candidate.artifact_type = std::move(parsed.artifact_type);
      candidate.annotations = std::move(parsed.annotations);
      out.push_back(std::move(candidate));
    } catch (const Error& error) {
      if (retry_helps(error.kind())) throw;
      log::warning("a referrer is left out", {{"digest", candidate.digest.text()}, {"reason", error.message()}});
    }
  }
  return out;
}

}  // namespace capsule::oci
