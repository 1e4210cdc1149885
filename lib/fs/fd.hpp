#pragma once

#include <filesystem>
#include <utility>

#include "core/stream.hpp"

namespace capsule::fs {

using Path = std::filesystem::path;

/// Owns one file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) noexcept : m_fd(fd) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  Fd(Fd&& other) noexcept : m_fd(std::exchange(other.m_fd, -1)) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd() { reset(); }

  [[nodiscard]] int get() const noexcept { return m_fd; }
  [[nodiscard]] explicit operator bool() const noexcept { return m_fd >= 0; }
  void reset() noexcept;

 private:
  int m_fd = -1;
};

/// Throws the Error that errno stands for: not_found (ENOENT, ENOTDIR), denied (EACCES, EPERM), unavailable (ENOSPC,
/// EDQUOT, EIO: a retry can help), else invalid_input. The message: "<doing> <path>: <reason>".
[[noreturn]] void throw_errno(std::string_view doing, const Path& path, int error);

/// Writes all of `bytes`, however many calls it takes.
void write_all(int fd, ByteView bytes, const Path& path);

/// Opens for reading; a folder, a FIFO or a device is refused (not_found, invalid_input).
Fd open_regular(const Path& path);

/// A regular file as a Source. Follows symbolic links: an input may be one.
class FileSource final : public Source {
 public:
  explicit FileSource(const Path& path);
  std::size_t read(MutableBytes buffer) override;
  [[nodiscard]] std::uint64_t size() const noexcept { return m_size; }  ///< bytes, when it was opened
  [[nodiscard]] int fd() const noexcept { return m_fd.get(); }

 private:
  Path m_path;
  Fd m_fd;
  std::uint64_t m_size;
};

/// The whole of a small file; Error invalid_input above `limit` bytes.
std::string read_file(const Path& path, std::size_t limit);

}  // namespace capsule::fs
