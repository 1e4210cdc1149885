#include "process/line_buffer.hpp"

namespace capsule::process {

void LineBuffer::add(std::string_view text) {
  if (!m_function) return;
  while (!text.empty()) {
    const auto end = text.find('\n');
    auto part = text.substr(0, end);
    if (m_rest.size() + part.size() > longest) {
      part = part.substr(0, longest - m_rest.size());
    } else if (end == std::string_view::npos) {
      m_rest += part;
      return;
    }
    const bool whole = part.size() == end;
    m_rest += part;
    if (whole && m_rest.ends_with('\r')) m_rest.pop_back();
    m_function(m_rest);
    m_rest.clear();
    text.remove_prefix(part.size() + (whole ? 1 : 0));
  }
}

void LineBuffer::finish() {
  if (m_function && !m_rest.empty()) m_function(m_rest);
  m_rest.clear();
}

}  // namespace capsule::process
