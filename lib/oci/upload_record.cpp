#include "oci/upload_record.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "log/log.hpp"

namespace capsule::oci {

namespace {

constexpr std::size_t max_record_bytes = std::size_t{64} << 10U;
constexpr std::chrono::hours longest_session{24 * 7};

void make_private_folder(const fs::Path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fs::throw_errno("create the folder", folder, error.value());
}

/// A record is small and worthless after a power loss: it is written in place, so that its lock stays.
void write_in_place(const fs::Path& path, std::string_view text) {
  const fs::Fd file{::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!file) fs::throw_errno("write", path, errno);
  fs::write_all(file.get(), as_bytes(text), path);
}

void sweep(const fs::Path& folder) {
  std::error_code ignored;
  const auto oldest = std::filesystem::file_time_type::clock::now() - longest_session;
  for (const auto& entry : std::filesystem::directory_iterator{folder, ignored}) {
    if (entry.path().extension() != ".upload") continue;
    std::error_code failed;
    const auto written = entry.last_write_time(failed);
    if (!failed && written < oldest) std::filesystem::remove(entry.path(), ignored);
  }
}

std::optional<Url> read_location(const fs::Path& path) {
  try {
    const auto document = json::parse(fs::read_file(path, max_record_bytes), path.string());
    return Url::parse(json::Cursor{document, path.string()}.at("location").string());
  } catch (const Error&) {
    return std::nullopt;  // a new one, or half of one
  }
}

}  // namespace

UploadRecord::UploadRecord(const fs::Path& folder, const Url& uploads, const Digest& blob) {
  if (folder.empty()) return;
  const auto path =
      folder / fmt::format("{}.upload", crypto::sha256(fmt::format("{} {}", uploads.text(), blob.text())).hex());
  try {
    make_private_folder(folder);
    sweep(folder);
    const fs::Fd made{::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!made) fs::throw_errno("write", path, errno);
    m_lock.emplace(path, std::chrono::milliseconds{0});
    m_path = path;
    m_location = read_location(path);
  } catch (const Error& error) {
    // Without a record an upload that is cut begins anew: slower, not wrong.
    if (error.kind() != ErrorKind::busy)
      log::warning("an upload that is cut cannot be gone on with later", {{"reason", error.message()}});
  }
}

UploadRecord::~UploadRecord() {
  if (!m_location) forget();
}

void UploadRecord::save(const Url& location) {
  if (m_path.empty()) return;
  write_in_place(m_path, json::compact(json::Object{{"location", location.text()}}));
  m_location = location;
}

void UploadRecord::forget() noexcept {
  if (!m_path.empty()) ::unlink(m_path.c_str());
  m_location.reset();
}

}  // namespace capsule::oci
