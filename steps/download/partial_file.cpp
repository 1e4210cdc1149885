#include "partial_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <thread>
#include <vector>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "fs/atomic_file.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace download {

using namespace capsule;

namespace {

constexpr std::uint64_t sync_every = std::uint64_t{64} << 20U;
constexpr std::chrono::seconds patience{10};
constexpr std::size_t max_state_bytes = std::size_t{64} << 10U;

/// What was not made durable is lost or, worse, full of zeros when the machine went down: known by another boot id.
std::string boot_id() {
  try {
    return fs::read_file("/proc/sys/kernel/random/boot_id", 100);
  } catch (const Error&) {
    return {};
  }
}

/// Whether an open file is still the one of that name.
bool is_still(int fd, const fs::Path& path) {
  struct stat opened {};
  struct stat named {};
  return ::fstat(fd, &opened) == 0 && ::stat(path.c_str(), &named) == 0 && opened.st_ino == named.st_ino &&
         opened.st_dev == named.st_dev;
}

}  // namespace

std::string Validators::for_range() const {
  if (!etag.empty()) return etag.starts_with("W/") ? std::string{} : etag;
  return last_modified;
}

PartialFile::PartialFile(const fs::Path& folder, const Url& url)
    : PartialFile(folder, std::string_view{url.text()}, url.loggable()) {}

PartialFile::PartialFile(const fs::Path& folder, const std::string& what)
    : PartialFile(folder, std::string_view{what}, what) {}

PartialFile::PartialFile(const fs::Path& folder, std::string_view key, std::string label) : m_url(std::move(label)) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fs::throw_errno("create the folder", folder, error.value());
  const auto name = std::string{crypto::sha256(key).hex()};
  m_data = folder / (name + ".part");
  m_state = folder / (name + ".json");
  open_and_lock();
  load_state();
}

PartialFile::~PartialFile() {
  if (m_fd && m_size == 0 && is_still(m_fd.get(), m_data)) ::unlink(m_data.c_str());
}

void PartialFile::open_and_lock() {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (true) {
    m_fd = fs::Fd{::open(m_data.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644)};
    if (!m_fd) fs::throw_errno("open", m_data, errno);
    const bool locked = ::flock(m_fd.get(), LOCK_EX | LOCK_NB) == 0;
    if (!locked && errno != EWOULDBLOCK && errno != EINTR) fs::throw_errno("lock", m_data, errno);
    // The owner before us may have moved the file away: then this is the lock of nothing.
    if (locked && is_still(m_fd.get(), m_data)) break;
    if (std::chrono::steady_clock::now() > deadline)
      throw Error{ErrorKind::busy, fmt::format("another process downloads {}", m_url)};
    if (!locked) std::this_thread::sleep_for(std::chrono::milliseconds{50});
  }
  struct stat status {};
  if (::fstat(m_fd.get(), &status) != 0) fs::throw_errno("look at", m_data, errno);
  m_size = static_cast<std::uint64_t>(status.st_size);
}

void PartialFile::load_state() {
  try {
    const auto value = json::parse(fs::read_file(m_state, max_state_bytes), m_state.string());
    const json::Cursor top{value, m_state.string()};
    m_validators.etag = top.at("etag").string();
    m_validators.last_modified = top.at("last_modified").string();
    if (const auto size = top.optional("size")) m_validators.size = size->uint64();
    if (const auto digest = top.optional("digest")) m_last_digest = Digest::parse(digest->string());
    m_synced = top.at("synced").uint64();
    if (top.at("boot").string() != boot_id()) truncate(std::min(m_size, m_synced));
    if (m_last_digest) truncate(0);
  } catch (const Error&) {
    // No state, or none that can be read: what the bytes are is not known.
    m_validators = {};
    m_last_digest.reset();
    truncate(0);
  }
}

void PartialFile::save_state() const {
  json::Object state{{"url", m_url},
                     {"etag", m_validators.etag},
                     {"last_modified", m_validators.last_modified},
                     {"synced", m_synced},
                     {"boot", boot_id()}};
  if (m_validators.size) state.set("size", *m_validators.size);
  if (m_last_digest) state.set("digest", m_last_digest->text());
  fs::write_file(m_state, json::pretty(state), 0600);
}

void PartialFile::truncate(std::uint64_t size) {
  if (size != m_size && ::ftruncate(m_fd.get(), static_cast<off_t>(size)) != 0)
    fs::throw_errno("shorten", m_data, errno);
  m_size = size;
  m_synced = std::min(m_synced, size);
}

void PartialFile::read_into(Sink& sink) const {
  std::vector<std::byte> buffer(std::size_t{1} << 20U);
  for (std::uint64_t at = 0; at < m_size;) {
    const auto count = ::pread(m_fd.get(), buffer.data(), buffer.size(), static_cast<off_t>(at));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fs::throw_errno("read", m_data, errno);
    if (count == 0) throw Error{ErrorKind::busy, fmt::format("{} became shorter", m_data.string())};
    sink.write(ByteView{buffer}.first(static_cast<std::size_t>(count)));
    at += static_cast<std::uint64_t>(count);
  }
}

void PartialFile::begin_anew(Validators validators) {
  truncate(0);
  m_validators = std::move(validators);
  m_last_digest.reset();
  save_state();
}

void PartialFile::append(ByteView bytes) {
  while (!bytes.empty()) {
    const auto count = ::pwrite(m_fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(m_size));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fs::throw_errno("write", m_data, errno);
    m_size += static_cast<std::uint64_t>(count);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  if (m_size - m_synced >= sync_every) {
    sync();
    save_state();
  }
}

void PartialFile::sync() {
  if (::fdatasync(m_fd.get()) != 0) fs::throw_errno("write", m_data, errno);
  m_synced = m_size;
}

void PartialFile::finished(const Digest& digest) {
  m_size = 0;
  m_synced = 0;
  m_last_digest = digest;
  save_state();
}

void PartialFile::discard() noexcept {
  if (is_still(m_fd.get(), m_data)) ::unlink(m_data.c_str());
  ::unlink(m_state.c_str());
  m_size = 0;
}

}  // namespace download
