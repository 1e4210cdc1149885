#pragma once

#include <string>
#include <string_view>

#include "json/cursor.hpp"

namespace capsule::kube {

/// Bytes that a certificate or key may have.
constexpr std::size_t pem_limit = std::size_t{1} << 20U;

// The ways in which the entries of a kubeconfig (user, cluster, exec) say things.

/// An optional text of a kubeconfig; empty where it is not there or null.
std::string text_of(const json::Cursor& from, std::string_view key);

/// An optional truth of a kubeconfig; false where it is not there or null.
bool truth_of(const json::Cursor& from, std::string_view key);

/// `path` as a kubeconfig means it: relative to the folder of `file`.
std::string beside(const std::string& file, const std::string& path);

/// What `<key>-data` (base64) holds or, without it, the file that `<key>` names; empty where there is neither.
std::string pem_of(const json::Cursor& from, std::string_view key, const std::string& file);

}  // namespace capsule::kube
