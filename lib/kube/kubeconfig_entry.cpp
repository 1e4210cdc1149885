#include "kube/kubeconfig_entry.hpp"

#include <fmt/format.h>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "fs/fd.hpp"

namespace capsule::kube {

std::string text_of(const json::Cursor& from, std::string_view key) {
  const auto found = from.optional(key);
  return !found || found->value().is_null() ? std::string{} : found->string();
}

bool truth_of(const json::Cursor& from, std::string_view key) {
  const auto found = from.optional(key);
  return found && !found->value().is_null() && found->boolean();
}

std::string beside(const std::string& file, const std::string& path) {
  return path.starts_with('/') ? path : (fs::Path{file}.parent_path() / path).string();
}

std::string pem_of(const json::Cursor& from, std::string_view key, const std::string& file) {
  const auto data_key = fmt::format("{}-data", key);
  auto data = text_of(from, data_key);
  std::erase_if(data, [](char c) { return c == '\n' || c == '\r'; });  // as Go's decoder has it
  if (data.empty()) {
    const auto name = text_of(from, key);
    return name.empty() ? std::string{} : as_usage(key, [&] { return fs::read_file(beside(file, name), pem_limit); });
  }
  try {
    return std::string{as_text(from_base64(data))};
  } catch (const Error&) {
    from.at(data_key).fail("is no base64");  // the reason could quote it
  }
}

}  // namespace capsule::kube
