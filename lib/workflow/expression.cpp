#include "workflow/expression.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/error.hpp"
#include "workflow/tokens.hpp"

namespace capsule::workflow {

namespace {

constexpr int max_depth = 64;
constexpr std::size_t max_looked_up = std::size_t{16} << 20U;

/// The number that a value is, or that its text spells.
std::optional<double> number_of(const json::Value& value) {
  std::string text;
  if (const auto* number = value.if_number())
    text = number->text;
  else if (const auto* string = value.if_string())
    text = *string;
  double out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return out;
}

std::string text_of(const json::Value& value) {
  if (const auto* text = value.if_string()) return *text;
  if (const auto* number = value.if_number()) return number->text;
  if (const auto* boolean = value.if_bool()) return *boolean ? "true" : "false";
  return {};
}

/// What is done with an expression: its value is found, or its form alone is checked, whatever the values are.
enum class Purpose { evaluate, check };

class Parser {
 public:
  Parser(std::string_view text, Dialect dialect, const Lookup& lookup, Purpose purpose)
      : m_text(text),
        m_dialect(dialect),
        m_lookup(lookup),
        m_checks_form(purpose == Purpose::check),
        m_tokens(tokens_of(text, dialect)) {}

  json::Value run() {
    auto value = disjunction();
    if (peek().kind != Token::Kind::end) fail(fmt::format("'{}' is one too many", printable(peek().text)));
    return value;
  }

 private:
  [[nodiscard]] const Token& peek() const { return m_tokens[m_at]; }
  [[nodiscard]] bool sees(std::string_view sign) const {
    return peek().kind == Token::Kind::sign && peek().text == sign;
  }
  bool accept(std::string_view sign) {
    if (!sees(sign)) return false;
    ++m_at;
    return true;
  }
  void expect(std::string_view sign) {
    if (!accept(sign)) fail(fmt::format("'{}' is missing", sign));
  }

  [[noreturn]] void fail(std::string_view reason) const {
    throw Error{ErrorKind::usage, fmt::format("the expression '{}' is not understood: {}", printable(m_text), reason)};
  }

  [[nodiscard]] bool truth(const json::Value& value) const {
    if (m_checks_form) return false;
    if (const auto* boolean = value.if_bool()) return *boolean;
    if (m_dialect == Dialect::when) {
      const auto text = text_of(value);
      if (text == "true") return true;
      if (text == "false") return false;
    }
    fail(fmt::format("true or false is wanted, '{}' is there", printable(text_of(value))));
  }

  // Both sides are always read, so that a fault on either is found whatever the values are.
  json::Value disjunction() {
    auto left = conjunction();
    while (accept("||")) {
      const bool left_true = truth(left);
      const bool right_true = truth(conjunction());
      left = left_true || right_true;
    }
    return left;
  }

  json::Value conjunction() {
    auto left = comparison();
    while (accept("&&")) {
      const bool left_true = truth(left);
      const bool right_true = truth(comparison());
      left = left_true && right_true;
    }
    return left;
  }

  json::Value comparison() {
    auto left = operand();
    if (m_dialect == Dialect::depends) return left;
    for (const std::string_view sign : {"==", "!=", "<=", ">=", "<", ">"}) {
      if (accept(sign)) return compare(left, sign, operand());
    }
    if (peek().kind == Token::Kind::word && peek().text == "in") {
      ++m_at;
      return contains(operand(), left);
    }
    return left;
  }

  [[nodiscard]] bool equal(const json::Value& left, const json::Value& right) const {
    if (m_dialect == Dialect::when) return text_of(left) == text_of(right);
    if (left.is_number() && right.is_number()) return number_of(left) == number_of(right);
    return left == right;
  }

  [[nodiscard]] json::Value compare(const json::Value& left, std::string_view sign, const json::Value& right) const {
    if (m_checks_form) return false;
    if (sign == "==") return equal(left, right);
    if (sign == "!=") return !equal(left, right);
    const bool numeric = m_dialect == Dialect::when || (left.is_number() && right.is_number());
    const auto a = number_of(left);
    const auto b = number_of(right);
    if (!numeric || !a || !b) fail(fmt::format("{} compares numbers", sign));
    if (sign == "<") return *a < *b;
    if (sign == "<=") return *a <= *b;
    if (sign == ">") return *a > *b;
    return *a >= *b;
  }

  [[nodiscard]] json::Value contains(const json::Value& list, const json::Value& value) const {
    if (m_checks_form) return false;
    const auto* array = list.if_array();
    if (array == nullptr) fail("'in' wants a list");
    return std::any_of(array->begin(), array->end(), [&](const json::Value& element) { return equal(element, value); });
  }

  json::Value operand() {
    if (++m_depth > max_depth) fail("nested too deep");
    auto value = operand_inside();
    --m_depth;
    return value;
  }

  json::Value operand_inside() {
    if (accept("!")) return !truth(operand());
    if (accept("(")) {
      auto value = disjunction();
      expect(")");
      return value;
    }
    if (m_dialect != Dialect::depends) {
      if (accept("-")) return negative();
      if (accept("[")) return list();
    }
    const auto token = peek();
    if (token.kind == Token::Kind::end || token.kind == Token::Kind::sign) fail("something is missing");
    if (m_dialect == Dialect::depends && token.kind != Token::Kind::word) fail("the name of a task is wanted");
    ++m_at;
    switch (token.kind) {
      case Token::Kind::number:
        return number(token.text);
      case Token::Kind::string:
        return token.text;
      case Token::Kind::tag:
        return tag(trimmed(token.text));
      default:
        return word(token.text);
    }
  }

  [[nodiscard]] json::Value number(const std::string& text) const {
    json::Value value = json::Number{text};
    if (!number_of(value)) fail(fmt::format("'{}' is no number", printable(text)));
    return value;
  }

  json::Value negative() {
    auto value = operand();
    if (m_checks_form) return value;
    const auto* positive = value.if_number();
    if (positive == nullptr) fail("'-' wants a number");
    const auto& text = positive->text;
    return json::Number{text.starts_with('-') ? text.substr(1) : "-" + text};
  }

  json::Value list() {
    json::Array out;
    while (!accept("]")) {
      if (!out.empty()) expect(",");
      out.push_back(disjunction());
    }
    return out;
  }

  json::Value word(const std::string& name) {
    if (m_dialect == Dialect::expr && sees("(")) return call(name);
    if (m_dialect != Dialect::depends && (name == "true" || name == "false"))
      return m_dialect == Dialect::when ? json::Value{name} : json::Value{name == "true"};
    if (m_dialect == Dialect::when) return name;
    if (m_dialect == Dialect::expr && name == "nil") return {};
    auto path = name;
    while (m_dialect == Dialect::expr && accept("[")) {
      if (peek().kind != Token::Kind::string) fail("a name in quotes is wanted in the brackets");
      path += "." + peek().text;
      ++m_at;
      expect("]");
      if (peek().kind == Token::Kind::word && peek().text.starts_with('.')) path += m_tokens[m_at++].text;
    }
    return looked_up(path);
  }

  json::Value call(const std::string& name) {
    expect("(");
    const auto argument = disjunction();
    expect(")");
    if (name == "string") return text_of(argument);
    if (name != "asInt" && name != "asFloat")
      fail(fmt::format("there is no function '{}' here (asInt, asFloat, string)", printable(name)));
    if (m_checks_form) return 0;
    const auto value = number_of(argument);
    if (!value || !std::isfinite(*value))
      fail(fmt::format("{} wants a number, '{}' is there", name, printable(text_of(argument))));
    if (name == "asFloat") return *value;
    if (*value != std::trunc(*value) || std::abs(*value) > 9e15)
      fail(fmt::format("asInt wants a whole number, '{}' is there", printable(text_of(argument))));
    return static_cast<std::int64_t>(*value);
  }

  /// What stands between {{ and }}: a name, or behind '=' an expression, whose value is one operand too.
  json::Value tag(const std::string& text) {
    if (!text.starts_with('=')) return looked_up(text);
    const auto purpose = m_checks_form ? Purpose::check : Purpose::evaluate;
    return counted(Parser{std::string_view{text}.substr(1), Dialect::expr, m_lookup, purpose}.run());
  }

  json::Value counted(json::Value value) {
    const auto* text = value.if_string();
    if (m_looked_up += text != nullptr ? text->size() : 0; m_looked_up > max_looked_up)
      fail("its values are too large");
    return value;
  }

  json::Value looked_up(const std::string& path) {
    if (auto value = m_lookup(path)) return counted(*std::move(value));
    fail(fmt::format("'{}' is not known here", printable(path)));
  }

  static std::string trimmed(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    while (text.ends_with(' ')) text.remove_suffix(1);
    return std::string{text};
  }

  std::string_view m_text;
  Dialect m_dialect;
  const Lookup& m_lookup;
  bool m_checks_form;
  std::vector<Token> m_tokens;
  std::size_t m_at = 0;
  int m_depth = 0;
  std::size_t m_looked_up = 0;  ///< bytes, of all values
};

}  // namespace

json::Value evaluate(std::string_view text, Dialect dialect, const Lookup& lookup) {
  return Parser{text, dialect, lookup, Purpose::evaluate}.run();
}

void check_expression(std::string_view text, Dialect dialect, const Lookup& lookup) {
  Parser{text, dialect, lookup, Purpose::check}.run();
}

bool evaluate_condition(std::string_view text, Dialect dialect, const Lookup& lookup) {
  const auto value = evaluate(text, dialect, lookup);
  if (const auto* boolean = value.if_bool()) return *boolean;
  const auto word = text_of(value);
  if (dialect == Dialect::when && (word == "true" || word == "false")) return word == "true";
  throw Error{ErrorKind::usage,
              fmt::format("the expression '{}' gives '{}', true or false is wanted", printable(text), printable(word))};
}

std::vector<std::string> tasks_in(std::string_view depends) {
  std::vector<std::string> out;
  for (const auto& token : tokens_of(depends, Dialect::depends)) {
    if (token.kind == Token::Kind::word) out.push_back(token.text.substr(0, token.text.find('.')));
  }
  return out;
}

}  // namespace capsule::workflow
