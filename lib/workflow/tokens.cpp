#include "workflow/tokens.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/error.hpp"

namespace capsule::workflow {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_word_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

class Scanner {
 public:
  Scanner(std::string_view text, Dialect dialect) : m_whole(text), m_rest(text), m_dialect(dialect) {}

  std::vector<Token> run() {
    std::vector<Token> out;
    while (true) {
      m_rest.remove_prefix(std::min(m_rest.find_first_not_of(" \t\r\n"), m_rest.size()));
      out.push_back(next());
      if (out.back().kind == Token::Kind::end) return out;
    }
  }

 private:
  Token next() {
    if (m_rest.empty()) return {};
    const char c = m_rest.front();
    if (m_rest.starts_with("{{")) return tag();
    if (c == '\'' || c == '"') return quoted(c);
    if (is_digit(c)) return take(Token::Kind::number, length_while([](char d) { return is_digit(d) || d == '.'; }));
    if (is_word_start(c) || (c == '.' && m_dialect == Dialect::expr))
      return take(Token::Kind::word, length_while([this](char d) { return is_word_character(d); }));
    return sign();
  }

  [[nodiscard]] bool is_word_character(char c) const {
    return is_word_start(c) || is_digit(c) || c == '.' || (c == '-' && m_dialect != Dialect::expr);
  }

  template <typename Holds>
  [[nodiscard]] std::size_t length_while(Holds holds) const {
    const auto end = std::find_if_not(m_rest.begin(), m_rest.end(), holds);
    return static_cast<std::size_t>(end - m_rest.begin());
  }

  Token take(Token::Kind kind, std::size_t length) {
    Token token{kind, std::string{m_rest.substr(0, length)}};
    m_rest.remove_prefix(length);
    return token;
  }

  Token quoted(char quote) {
    const auto end = m_rest.find(quote, 1);
    if (end == std::string_view::npos) fail("a quote is not closed");
    Token token{Token::Kind::string, std::string{m_rest.substr(1, end - 1)}};
    m_rest.remove_prefix(end + 1);
    // '{{tag}}' in quotes is still that tag.
    if (m_dialect == Dialect::when && token.text.starts_with("{{") && token.text.ends_with("}}")) {
      token = {Token::Kind::tag, token.text.substr(2, token.text.size() - 4)};
    }
    return token;
  }

  Token tag() {
    const auto end = m_rest.find("}}");
    if (m_dialect != Dialect::when || end == std::string_view::npos) fail("a tag has no place here, or is not closed");
    Token token{Token::Kind::tag, std::string{m_rest.substr(2, end - 2)}};
    m_rest.remove_prefix(end + 2);
    return token;
  }

  Token sign() {
    constexpr std::array<std::string_view, 16> signs{"||", "&&", "==", "!=", "<=", ">=", "<", ">",
                                                     "!",  "(",  ")",  "[",  "]",  ",",  "-", "?"};
    for (const auto candidate : signs) {
      if (m_rest.starts_with(candidate)) return take(Token::Kind::sign, candidate.size());
    }
    fail(fmt::format("'{}' belongs to nothing", printable(m_rest.substr(0, 1))));
  }

  [[noreturn]] void fail(std::string_view reason) const {
    throw Error{ErrorKind::usage, fmt::format("the expression '{}' is not understood: {}", printable(m_whole), reason)};
  }

  std::string_view m_whole;
  std::string_view m_rest;
  Dialect m_dialect;
};

}  // namespace

std::vector<Token> tokens_of(std::string_view text, Dialect dialect) {
  return Scanner{text, dialect}.run();
}

}  // namespace capsule::workflow
