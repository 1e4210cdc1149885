#include "capsule/checksum_list.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "capsule/head.hpp"
#include "core/error.hpp"

namespace capsule {

namespace {

constexpr std::size_t hex_digits = 64;

[[noreturn]] void refuse(std::string_view reason) {
  throw Error{ErrorKind::invalid_input, fmt::format("checksum.sha256: {}", reason)};
}

ChecksumList::Line parse_line(std::string_view line, std::size_t number) {
  if (line.size() < hex_digits + 3 || line.substr(hex_digits, 2) != "  ")
    refuse(fmt::format("line {} is not <64 hex>, two spaces, path", number));
  try {
    return {fs::SafePath::parse(line.substr(hex_digits + 2)), Digest::sha256(line.substr(0, hex_digits))};
  } catch (const Error& error) {
    refuse(fmt::format("line {}: {}", number, error.message()));
  }
}

std::string ascii_lower(std::string_view text) {
  std::string out{text};
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

/// Refuses two paths that no folder, or no folder of some systems, could hold side by side: a file that is a folder of
/// another, and ASCII case twins, in any of their components.
void refuse_clashes(const std::vector<ChecksumList::Line>& lines) {
  // The two that are never listed lie beside the others all the same.
  std::set<std::string> files{std::string{head::checksums}, std::string{head::signature}};
  std::set<std::string> folders;
  for (const auto& line : lines) {
    const auto& path = line.path.text();
    for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1))
      folders.insert(path.substr(0, slash));
    files.insert(path);
  }
  std::set<std::string> lower;
  for (const auto& folder : folders) {
    if (files.contains(folder)) refuse(fmt::format("{} is a file and a folder", printable(folder)));
    if (!lower.insert(ascii_lower(folder)).second)
      refuse(fmt::format("{} has a twin that differs only in case", printable(folder)));
  }
  for (const auto& file : files) {
    if (!lower.insert(ascii_lower(file)).second)
      refuse(fmt::format("{} has a twin that differs only in case", printable(file)));
  }
}

bool comes_before(const ChecksumList::Line& line, std::string_view path) {
  return line.path.text() < path;
}

}  // namespace

ChecksumList::ChecksumList(std::vector<Line> lines) : m_lines(std::move(lines)) {
  for (std::size_t i = 0; i < m_lines.size(); ++i) {
    const auto& path = m_lines[i].path;
    if (i > 0 && m_lines[i - 1].path >= path) refuse(fmt::format("{} is out of order", printable(path.text())));
    if (path.text() == head::checksums || path.text() == head::signature)
      refuse(fmt::format("{} must not be listed", path.text()));
    if (m_lines[i].digest.algorithm() != "sha256") refuse("only SHA-256 can stand there");
  }
  refuse_clashes(m_lines);
}

ChecksumList ChecksumList::parse(std::string_view text) {
  std::vector<Line> lines;
  if (text.empty()) refuse("it is empty");
  while (!text.empty()) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) refuse("the last line has no end");
    lines.push_back(parse_line(text.substr(0, end), lines.size() + 1));
    text.remove_prefix(end + 1);
  }
  return ChecksumList{std::move(lines)};
}

const ChecksumList::Line* ChecksumList::line(std::string_view path) const noexcept {
  const auto it = std::lower_bound(m_lines.begin(), m_lines.end(), path, comes_before);
  return it == m_lines.end() || it->path.text() != path ? nullptr : &*it;
}

const Digest* ChecksumList::find(std::string_view path) const noexcept {
  const auto* found = line(path);
  return found == nullptr ? nullptr : &found->digest;
}

std::string ChecksumList::text() const {
  std::string out;
  for (const auto& line : m_lines) out += fmt::format("{}  {}\n", line.digest.hex(), line.path.text());
  return out;
}

}  // namespace capsule
