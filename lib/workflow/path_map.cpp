#include "workflow/path_map.hpp"

#include <algorithm>

namespace capsule::workflow {

namespace {

bool is_path_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
         c == '-' || c == '/';
}

}  // namespace

void PathMap::add(std::string mount, std::string folder) {
  while (mount.size() > 1 && mount.ends_with('/')) mount.pop_back();
  m_entries.emplace_back(std::move(mount), std::move(folder));
  std::stable_sort(m_entries.begin(), m_entries.end(),
                   [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
}

std::string PathMap::apply(std::string_view text) const {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const bool begins = at == 0 || !is_path_character(text[at - 1]);
    const auto found = std::find_if(m_entries.begin(), m_entries.end(), [&](const auto& entry) {
      if (!begins || !text.substr(at).starts_with(entry.first)) return false;
      const auto end = at + entry.first.size();
      return end == text.size() || text[end] == '/' || !is_path_character(text[end]);
    });
    if (found == m_entries.end()) {
      out += text[at++];
    } else {
      out += found->second;
      at += found->first.size();
    }
  }
  return out;
}

}  // namespace capsule::workflow
