#include "oci/blob_holders.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "fs/atomic_file.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "oci/reference.hpp"

namespace capsule::oci {

namespace {

constexpr std::string_view extension = ".holders";
constexpr std::size_t max_file_bytes = std::size_t{4} << 10U;
constexpr mode_t private_file = 0600;  // names of repositories are nobody else's business

/// Makes room for one more: the oldest go.
void sweep(const fs::Path& folder) {
  std::vector<std::pair<std::filesystem::file_time_type, fs::Path>> files;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator{folder, ignored}) {
    if (entry.path().extension() == extension) files.emplace_back(entry.last_write_time(ignored), entry.path());
  }
  if (files.size() < BlobHolders::max_blobs) return;
  std::sort(files.begin(), files.end());
  files.resize(files.size() + 1 - BlobHolders::max_blobs);
  for (const auto& [time, path] : files) std::filesystem::remove(path, ignored);
}

}  // namespace

BlobHolders::BlobHolders(fs::Path folder, const Url& registry)
    : m_folder(std::move(folder)), m_registry(registry.text()) {}

fs::Path BlobHolders::file(const Digest& blob) const {
  return m_folder / fmt::format("{}{}", crypto::sha256(fmt::format("{} {}", m_registry, blob.text())).hex(), extension);
}

std::vector<std::string> BlobHolders::of(const Digest& blob) const {
  std::vector<std::string> out;
  if (m_folder.empty()) return out;
  try {
    const auto path = file(blob);
    const auto document = json::parse(fs::read_file(path, max_file_bytes), path.string());
    for (const auto& entry : json::Cursor{document, path.string()}.at("repositories").elements()) {
      if (is_repository(entry.string()) && out.size() < max_repositories) out.push_back(entry.string());
    }
  } catch (const Error&) {
    out.clear();
  }
  return out;
}

void BlobHolders::add(const Digest& blob, std::string_view repository) const {
  if (m_folder.empty()) return;
  auto known = of(blob);
  if (!known.empty() && known.front() == repository) return;
  std::erase(known, repository);
  known.insert(known.begin(), std::string{repository});
  if (known.size() > max_repositories) known.resize(max_repositories);
  try {
    std::error_code ignored;
    std::filesystem::create_directories(m_folder, ignored);
    sweep(m_folder);
    fs::write_file(file(blob), json::compact(json::Object{{"repositories", json::Array{known.begin(), known.end()}}}),
                   private_file);
  } catch (const Error&) {
    return;  // the next upload sends the bytes: slower, not wrong
  }
}

}  // namespace capsule::oci
