#include "image/signature_files.hpp"

#include <algorithm>

#include "crypto/hash.hpp"

namespace capsule::image {

namespace {

constexpr std::size_t digits = 16;

std::string suffix_of(const Digest& digest) {
  return "." + std::string{digest.hex().substr(0, digits)};
}

/// ".<16 hex>.sigstore.json" or ".<16 hex>.oci.sigstore.json".
bool is_further(std::string_view suffix) noexcept {
  if (!suffix.starts_with('.') || suffix.size() < digits + 1) return false;
  const auto hex = suffix.substr(1, digits);
  const auto rest = suffix.substr(digits + 1);
  return hex.find_first_not_of("0123456789abcdef") == std::string_view::npos &&
         (rest == package_bundle_suffix || rest == index_bundle_suffix);
}

}  // namespace

std::string signer_suffix(const crypto::PublicKey& key) {
  return suffix_of(crypto::sha256(key.spki()));
}

std::string content_suffix(std::string_view bundle) {
  return suffix_of(crypto::sha256(bundle));
}

std::vector<std::string> further_signatures(const fs::Path& package) {
  const auto name = package.filename().string();
  std::vector<std::string> out;
  std::error_code error;  // a folder that cannot be listed has none to offer
  for (std::filesystem::directory_iterator entry{package.has_parent_path() ? package.parent_path() : ".", error}, end;
       !error && entry != end; entry.increment(error)) {
    const auto other = entry->path().filename().string();
    if (other.starts_with(name) && is_further(other.substr(name.size()))) out.push_back(other.substr(name.size()));
  }
  std::sort(out.begin(), out.end());
  return out;
}

bool is_about_index(std::string_view suffix) noexcept {
  return suffix.ends_with(index_bundle_suffix);
}

}  // namespace capsule::image
