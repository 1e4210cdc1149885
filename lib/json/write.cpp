#include "json/write.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/utf8.hpp"
#include "json/cursor.hpp"

namespace capsule::json {

namespace {

void append_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20)
          out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        else
          out += c;
    }
  }
  out += '"';
}

/// ECMAScript Number::toString (ECMA-262 §6.1.6.1.20) from the shortest digits and the exponent.
std::string ecmascript(double value) {
  if (value == 0) return "0";
  std::array<char, 40> buffer{};
  const auto end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::scientific).ptr;
  std::string_view text{buffer.data(), static_cast<std::size_t>(end - buffer.data())};
  std::string out;
  if (text.front() == '-') {
    out = "-";
    text.remove_prefix(1);
  }
  const auto e = text.find('e');
  std::string digits;
  for (const char c : text.substr(0, e)) {
    if (c != '.') digits += c;
  }
  int exponent = 0;
  auto exponent_text = text.substr(e + 1);
  if (exponent_text.front() == '+') exponent_text.remove_prefix(1);
  std::from_chars(exponent_text.data(), exponent_text.data() + exponent_text.size(), exponent);
  const int k = static_cast<int>(digits.size());
  const int n = exponent + 1;
  if (k <= n && n <= 21) return out + digits + std::string(static_cast<std::size_t>(n - k), '0');
  if (0 < n && n <= 21)
    return out + digits.substr(0, static_cast<std::size_t>(n)) + "." + digits.substr(static_cast<std::size_t>(n));
  if (-6 < n && n <= 0) return out + "0." + std::string(static_cast<std::size_t>(-n), '0') + digits;
  const std::string sign = n - 1 < 0 ? "-" : "+";
  const std::string power = std::to_string(std::abs(n - 1));
  if (k == 1) return out + digits + "e" + sign + power;
  return out + digits.substr(0, 1) + "." + digits.substr(1) + "e" + sign + power;
}

std::u16string utf16(std::string_view text) {
  std::u16string out;
  while (!text.empty()) {
    const auto length = std::max<std::size_t>(1, utf8::sequence_length(text));
    const char32_t code = utf8::decode(text);
    if (code < 0x10000) {
      out += static_cast<char16_t>(code);
    } else {
      out += static_cast<char16_t>(0xd800 + ((code - 0x10000) >> 10U));
      out += static_cast<char16_t>(0xdc00 + ((code - 0x10000) & 0x3ffU));
    }
    text.remove_prefix(length);
  }
  return out;
}

enum class Form { canonical, compact, pretty };

class Writer {
 public:
  explicit Writer(Form form) : m_form(form) {}

  void write(const Value& value, std::size_t level = 0) {
    if (value.is_null())
      m_out += "null";
    else if (const auto* boolean = value.if_bool())
      m_out += *boolean ? "true" : "false";
    else if (const auto* number = value.if_number())
      m_out += m_form == Form::canonical ? ecmascript(to_double(*number)) : number->text;
    else if (const auto* text = value.if_string())
      append_string(m_out, *text);
    else if (const auto* array = value.if_array())
      write_array(*array, level);
    else if (const auto* object = value.if_object())
      write_object(*object, level);
  }

  std::string take() { return std::move(m_out); }

 private:
  void line(std::size_t level) {
    if (m_form == Form::pretty) {
      m_out += '\n';
      m_out.append(level * 2, ' ');
    }
  }

  void write_array(const Array& array, std::size_t level) {
    m_out += '[';
    bool first = true;
    for (const auto& element : array) {
      if (!first) m_out += ',';
      first = false;
      line(level + 1);
      write(element, level + 1);
    }
    if (!first) line(level);
    m_out += ']';
  }

  void write_object(const Object& object, std::size_t level) {
    std::vector<const Member*> members;
    members.reserve(object.size());
    for (const auto& member : object) members.push_back(&member);
    if (m_form == Form::canonical) {
      std::sort(members.begin(), members.end(),
                [](const Member* a, const Member* b) { return utf16(a->first) < utf16(b->first); });
    }
    m_out += '{';
    bool first = true;
    for (const auto* member : members) {
      if (!first) m_out += ',';
      first = false;
      line(level + 1);
      append_string(m_out, member->first);
      m_out += m_form == Form::pretty ? ": " : ":";
      write(member->second, level + 1);
    }
    if (!first) line(level);
    m_out += '}';
  }

  Form m_form;
  std::string m_out;
};

std::string written(const Value& value, Form form) {
  Writer writer{form};
  writer.write(value);
  return writer.take();
}

}  // namespace

std::string canonical(const Value& value) {
  Cursor{value, "canonical JSON"}.require_exact_integers();
  return written(value, Form::canonical);
}
std::string compact(const Value& value) {
  return written(value, Form::compact);
}
std::string pretty(const Value& value) {
  return written(value, Form::pretty) + "\n";
}

}  // namespace capsule::json
