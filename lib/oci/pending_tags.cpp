#include "oci/pending_tags.hpp"

#include "core/error.hpp"
#include "fs/atomic_file.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "oci/reference.hpp"

namespace capsule::oci {

namespace {

constexpr std::size_t max_bytes = 4096;

}  // namespace

bool PendingTags::Pending::counts_beside(const std::optional<Descriptor>& listed) const {
  return listed ? replaces == listed->digest : !replaces;
}

std::optional<PendingTags::Pending> PendingTags::find(std::string_view tag) const {
  if (!is_tag(tag)) return std::nullopt;
  const auto path = m_folder / tag;
  std::string text;
  try {
    text = fs::read_file(path, max_bytes);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
    return std::nullopt;
  }
  const auto document = json::parse(text, path.string());
  const json::Cursor top{document, path.string()};
  Pending out{Descriptor::from_json(top.at("descriptor")), {}};
  if (const auto before = top.optional("replaces")) out.replaces = Digest::parse(before->string());
  return out;
}

std::vector<std::string> PendingTags::tags() const {
  std::vector<std::string> out;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator{m_folder, error}) {
    auto name = entry.path().filename().string();
    if (is_tag(name)) out.push_back(std::move(name));
  }
  if (error && error != std::errc::no_such_file_or_directory) fs::throw_errno("list", m_folder, error.value());
  return out;
}

void PendingTags::put(std::string_view tag, const Pending& pending) {
  json::Object document{{"descriptor", pending.target.to_json()}};
  if (pending.replaces) document.set("replaces", pending.replaces->text());
  std::error_code error;
  std::filesystem::create_directories(m_folder, error);
  if (error) fs::throw_errno("create the folder", m_folder, error.value());
  fs::write_file(m_folder / tag, json::compact(document));
}

void PendingTags::remove(const std::vector<std::string>& tags) {
  std::error_code ignored;  // what stays does not count any more
  for (const auto& tag : tags) std::filesystem::remove(m_folder / tag, ignored);
}

}  // namespace capsule::oci
