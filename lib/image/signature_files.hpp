#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "crypto/key.hpp"
#include "fs/fd.hpp"

namespace capsule::image {

/// How the bundles of signers are named beside a package. The first one's are `<package>.sigstore.json` (about the
/// package) and `<package>.oci.sigstore.json` (about its version index); those of each further one have 16 hexadecimal
/// digits before: `<package>.<16 hex>.sigstore.json`.
inline constexpr std::string_view package_bundle_suffix = ".sigstore.json";
inline constexpr std::string_view index_bundle_suffix = ".oci.sigstore.json";

inline constexpr std::size_t max_signature_bundles = 64;
inline constexpr std::size_t max_signature_bytes = std::size_t{1} << 20U;

/// ".<16 hex>", the beginning of the SHA-256 of the key's DER SubjectPublicKeyInfo: what sign names them by, so that
/// signers who do not know each other never write the same file.
std::string signer_suffix(const crypto::PublicKey& key);
/// The same of a bundle whose signer is not known, by its content.
std::string content_suffix(std::string_view bundle);

/// Suffixes of all bundles of further signers that are beside the package, sorted.
std::vector<std::string> further_signatures(const fs::Path& package);

/// Whether a bundle of that suffix ought to be about the version index.
bool is_about_index(std::string_view suffix) noexcept;

}  // namespace capsule::image
