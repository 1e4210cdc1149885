#pragma once

#include <string>
#include <string_view>

#include "core/query.hpp"

namespace capsule::kube {

/// The parameters of a request.
class Query {
 public:
  /// Nothing for an empty value.
  Query& add(std::string_view name, std::string_view value) {
    if (value.empty()) return *this;
    if (!m_text.empty()) m_text += '&';
    m_text.append(name).append("=").append(query_encoded(value));
    return *this;
  }
  [[nodiscard]] const std::string& text() const noexcept { return m_text; }

 private:
  std::string m_text;
};

}  // namespace capsule::kube
