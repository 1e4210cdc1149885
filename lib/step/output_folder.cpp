#include "step/output_folder.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "core/error.hpp"
#include "fs/atomic_file.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace capsule::step {

namespace {

constexpr std::string_view report_name = "report.json";
constexpr std::size_t max_old_bytes = std::size_t{4} << 20U;

void remove_file(const fs::Path& file) {
  if (::unlink(file.c_str()) == 0 || errno == ENOENT || errno == EISDIR) return;
  fs::throw_errno("remove the old output", file, errno);
}

std::optional<std::string> content_of(const fs::Path& file) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) return std::nullopt;
  try {
    return fs::read_file(file, max_old_bytes);
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// The files in `folder` that an earlier report lists with just this content.
std::vector<fs::Path> files_in_report(const fs::Path& folder) {
  std::vector<fs::Path> files;
  const auto text = content_of(folder / report_name);
  if (!text) return files;
  json::Value report;
  try {
    report = json::parse(*text, report_name);
  } catch (const Error&) {
    return files;  // not ours
  }
  if (!report.is_object()) return files;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator{folder, ignored}) {
    auto key = entry.path().filename().string();
    std::replace(key.begin(), key.end(), '-', '_');
    const auto* value = report.if_object()->find(key);
    const auto* wanted = value == nullptr ? nullptr : value->if_string();
    if (wanted != nullptr && content_of(entry.path()) == *wanted) files.push_back(entry.path());
  }
  return files;
}

}  // namespace

std::string outputs_folder_in(int argc, char** argv) {
  constexpr std::string_view option = "--outputs";
  for (int i = 1; i < argc; ++i) {
    std::string_view value = argv[i];
    if (value == "--") break;
    if (!value.starts_with(option)) continue;
    value.remove_prefix(option.size());
    if (value.starts_with('='))
      value.remove_prefix(1);
    else
      value = value.empty() && i + 1 < argc ? argv[i + 1] : "";
    if (!value.empty() && !value.starts_with('-')) return std::string{value};
  }
  const char* folder = std::getenv("CAPSULE_OUTPUTS");  // NOLINT(concurrency-mt-unsafe)
  return folder == nullptr ? "" : folder;
}

void OutputFolder::begin(const fs::Path& folder, const std::vector<std::string>& names) {
  if (folder.empty()) return;
  std::error_code error;
  const auto status = std::filesystem::status(folder, error);
  if (error == std::errc::not_a_directory || (exists(status) && !is_directory(status))) {
    throw Error{ErrorKind::usage, fmt::format("--outputs wants a folder, and {} is a file or below one",
                                              printable(folder.string(), 1024))};
  }
  m_old = files_in_report(folder);
  for (const auto& name : names) remove_file(folder / name);
  remove_file(folder / report_name);
  m_path = folder;
}

void OutputFolder::write(const std::vector<std::pair<std::string, std::string>>& files, const json::Object& report) {
  if (m_path.empty()) return;
  std::error_code error;
  std::filesystem::create_directories(m_path, error);
  if (error) fs::throw_errno("create the folder", m_path, error.value());
  for (const auto& file : m_old) remove_file(file);
  for (const auto& [name, value] : files) fs::write_file(m_path / name, value);
  fs::write_file(m_path / report_name, json::pretty(report));
}

}  // namespace capsule::step
