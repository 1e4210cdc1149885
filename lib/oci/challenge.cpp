#include "oci/challenge.hpp"

#include <algorithm>
#include <optional>
#include <string_view>

namespace capsule::oci {

namespace {

bool is_alphanumeric(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_token_character(char c) noexcept {
  return is_alphanumeric(c) || std::string_view{"!#$%&'*+-.^_`|~"}.find(c) != std::string_view::npos;
}

std::string lower(std::string_view text) {
  std::string out{text};
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

struct Malformed {};

/// Reads one field value from left to right; throws Malformed.
class FieldReader {
 public:
  explicit FieldReader(std::string_view text) : m_rest(text) {}

  std::vector<Challenge> read() {
    std::vector<Challenge> out;
    skip(", \t");
    while (!m_rest.empty()) {
      out.push_back(challenge());
      skip(", \t");
    }
    return out;
  }

 private:
  Challenge challenge() {
    Challenge out{lower(token()), {}};
    if (at_separator()) return out;
    if (!m_rest.starts_with(' ')) throw Malformed{};
    skip(" ");
    if (at_separator() || skip_token68()) return out;
    while (auto parameter = next_parameter()) {
      if (!out.parameters.insert(*std::move(parameter)).second) throw Malformed{};
      skip(" \t");
      if (!at_separator()) throw Malformed{};
      skip(", \t");
    }
    return out;
  }

  /// Nothing, and nothing read, where the next challenge begins or the field ends.
  std::optional<std::pair<std::string, std::string>> next_parameter() {
    if (m_rest.empty()) return std::nullopt;
    const auto before = m_rest;
    auto name = lower(token());
    skip(" \t");
    if (!m_rest.starts_with('=')) {
      m_rest = before;
      return std::nullopt;
    }
    m_rest.remove_prefix(1);
    skip(" \t");
    return std::pair{std::move(name), m_rest.starts_with('"') ? quoted() : std::string{token()}};
  }

  std::string_view token() {
    const auto end = std::find_if_not(m_rest.begin(), m_rest.end(), is_token_character);
    const auto out = m_rest.substr(0, static_cast<std::size_t>(end - m_rest.begin()));
    if (out.empty()) throw Malformed{};
    m_rest.remove_prefix(out.size());
    return out;
  }

  std::string quoted() {
    std::string out;
    for (std::size_t at = 1; at < m_rest.size(); ++at) {
      if (m_rest[at] == '"') {
        m_rest.remove_prefix(at + 1);
        return out;
      }
      if (m_rest[at] == '\\' && ++at == m_rest.size()) break;
      out += m_rest[at];
    }
    throw Malformed{};
  }

  /// The other form of what follows a scheme, e.g. "Negotiate YII=": of no use here.
  bool skip_token68() {
    const auto end = m_rest.find_first_of(", \t");
    const auto word = m_rest.substr(0, end);
    const auto body = word.substr(0, word.find_last_not_of('=') + 1);
    const bool fits = !body.empty() && std::all_of(body.begin(), body.end(), [](char c) {
      return is_alphanumeric(c) || std::string_view{"-._~+/"}.find(c) != std::string_view::npos;
    });
    const auto after = end == std::string_view::npos ? std::string_view{} : m_rest.substr(end);
    const auto next = after.find_first_not_of(" \t");
    if (!fits || (next != std::string_view::npos && after[next] != ',')) return false;
    m_rest = after;
    return true;
  }

  [[nodiscard]] bool at_separator() const noexcept { return m_rest.empty() || m_rest.front() == ','; }
  void skip(std::string_view characters) noexcept {
    m_rest.remove_prefix(std::min(m_rest.find_first_not_of(characters), m_rest.size()));
  }

  std::string_view m_rest;
};

}  // namespace

std::vector<Challenge> challenges_of(const http::Headers& headers) {
  std::vector<Challenge> out;
  for (const auto& [name, value] : headers) {
    if (!http::same_name(name, "WWW-Authenticate")) continue;
    try {
      auto found = FieldReader{value}.read();
      std::move(found.begin(), found.end(), std::back_inserter(out));
    } catch (const Malformed&) {
      continue;
    }
  }
  return out;
}

}  // namespace capsule::oci
