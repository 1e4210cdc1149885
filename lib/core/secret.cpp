#include "core/secret.hpp"

#include <string.h>

#include <utility>

namespace capsule {

void Secret::wipe() noexcept {
  m_value.resize(m_value.capacity());  // a short value may lie in the string itself, behind its end
  explicit_bzero(m_value.data(), m_value.size());
  m_value.clear();
}

Secret::Secret(Secret&& other) noexcept {
  m_value.swap(other.m_value);
  other.wipe();
}

Secret& Secret::operator=(const Secret& other) {
  if (this != &other) {
    wipe();
    m_value = other.m_value;
  }
  return *this;
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    wipe();
    m_value.swap(other.m_value);
    other.wipe();
  }
  return *this;
}

Secret::~Secret() {
  wipe();
}

void redact(std::string& text, std::string_view secret) {
  constexpr std::string_view mark = "…";
  if (secret.empty()) return;
  for (auto at = text.find(secret); at != std::string::npos; at = text.find(secret, at + mark.size()))
    text.replace(at, secret.size(), mark);
}

}  // namespace capsule
