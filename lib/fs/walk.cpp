#include "fs/walk.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "core/error.hpp"

namespace capsule::fs {

namespace {

bool is_skipped(std::string_view name) {
  return name == "__pycache__" || name == ".git" || name == ".DS_Store";
}

std::string ascii_lower(std::string_view text) {
  std::string out{text};
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

std::string_view what_is(mode_t mode) {
  if (S_ISLNK(mode)) return "a symbolic link";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

class Walker {
 public:
  Walker(Path root, std::size_t max_files) : m_root(std::move(root)), m_max_files(max_files) {}

  Walk run() {
    enter(m_root, "");
    std::sort(m_walk.files.begin(), m_walk.files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
    std::sort(m_walk.skipped.begin(), m_walk.skipped.end());
    return std::move(m_walk);
  }

 private:
  void enter(const Path& folder, const std::string& prefix) {
    std::error_code error;
    std::filesystem::directory_iterator entries{folder, error};
    if (error) throw_errno("read the folder", folder, error.value());
    const auto start = prefix.empty() ? prefix : prefix + "/";
    for (const auto& entry : entries) {
      const auto name = entry.path().filename().string();
      const auto relative = start + name;
      if (is_skipped(name)) {
        m_walk.skipped.push_back(relative);
        continue;
      }
      visit(entry.path(), relative);
    }
  }

  void visit(const Path& path, const std::string& relative) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) throw_errno("look at", path, errno);
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
      throw Error{ErrorKind::invalid_input, fmt::format("{} is {}: a capsule holds regular files only",
                                                        printable(relative), what_is(status.st_mode))};
    }
    auto safe = SafePath::parse(relative);
    refuse_case_twin(relative);
    if (S_ISDIR(status.st_mode)) {
      enter(path, relative);
      return;
    }
    if (m_walk.files.size() == m_max_files) {
      throw Error{ErrorKind::invalid_input,
                  fmt::format("more than {} files in {}", m_max_files, printable(m_root.string(), 1024))};
    }
    m_walk.files.push_back({std::move(safe), static_cast<std::uint64_t>(status.st_size)});
  }

  void refuse_case_twin(const std::string& relative) {
    const auto [twin, fresh] = m_seen.emplace(ascii_lower(relative), relative);
    if (!fresh) {
      throw Error{ErrorKind::invalid_input, fmt::format("{} and {} differ only in case: other systems cannot hold both",
                                                        printable(twin->second), printable(relative))};
    }
  }

  Path m_root;
  std::size_t m_max_files;
  Walk m_walk;
  std::map<std::string, std::string> m_seen;
};

}  // namespace

Walk walk(const Path& root, std::size_t max_files) {
  return Walker{root, max_files}.run();
}

}  // namespace capsule::fs
