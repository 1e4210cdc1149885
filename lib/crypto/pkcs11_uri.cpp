#include "crypto/pkcs11_uri.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "core/error.hpp"

namespace capsule::crypto {

namespace {

constexpr std::string_view scheme = "pkcs11:";
constexpr std::string_view unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
constexpr std::string_view path_plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/:";
constexpr std::string_view available = ":[]@!$'()*+,=";  // RFC 7512 §2.3: pk11-res-avail
constexpr std::size_t max_text = 8192;

bool has_scheme(std::string_view text) noexcept {
  const auto same = [](char given, char lower) {
    return (given >= 'A' && given <= 'Z' ? given - 'A' + 'a' : given) == lower;
  };
  return text.size() >= scheme.size() && std::equal(scheme.begin(), scheme.end(), text.begin(),
                                                    [&](char lower, char given) { return same(given, lower); });
}

[[noreturn]] void refuse(std::string_view reason) {
  throw Error{ErrorKind::usage, fmt::format("pkcs11: URI: {} (RFC 7512)", reason)};
}

[[noreturn]] void refuse(std::string_view name, std::string_view reason) {
  refuse(fmt::format("attribute '{}': {}", printable(name, 40), reason));
}

/// The value of a hexadecimal digit; -1 for anything else.
int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string decode(std::string_view name, std::string_view text, std::string_view extra) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c != '%') {
      if (unreserved.find(c) == std::string_view::npos && available.find(c) == std::string_view::npos &&
          extra.find(c) == std::string_view::npos)
        refuse(name, fmt::format("the character '{}' must be percent-encoded", printable({&c, 1})));
      out += c;
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high < 0 ? -1 : hex_digit(text[i + 2]);
    if (low < 0) refuse(name, "'%' is followed by two hexadecimal digits");
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

/// What is not in `plain` becomes %XX.
std::string encode(std::string_view text, std::string_view plain) {
  std::string out;
  for (const char c : text) {
    out += plain.find(c) != std::string_view::npos ? std::string{c}
                                                   : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string text_value(std::string_view name, std::string value) {
  if (value.empty()) refuse(name, "is empty");
  if (value.find('\0') != std::string::npos) refuse(name, "a NUL is no part of a name");
  return value;
}

std::uint64_t slot_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc{} || end != text.data() + text.size()) refuse("slot-id", "a decimal number is wanted");
  return value;
}

Pkcs11Uri::Type type_named(std::string_view text) {
  if (text == "private") return Pkcs11Uri::Type::private_key;
  if (text == "public") return Pkcs11Uri::Type::public_key;
  refuse("type", "a key is 'private' or 'public'");
}

/// `file:/run/pin`, `file:///run/pin` or `/run/pin`.
std::string pin_file(std::string value) {
  if (value.starts_with('|')) refuse("pin-source", "a command is not run; put the PIN into a file");
  if (value.starts_with("file:")) value.erase(0, 5);
  if (value.starts_with("///")) value.erase(0, 2);
  if (!value.starts_with('/') || value.starts_with("//")) refuse("pin-source", "wanted is file:/ABSOLUTE/PATH");
  return value;
}

std::string module_file(std::string value) {
  if (value.find('/') == std::string::npos) refuse("module-path", "the path of the module is wanted, with its folder");
  return value;
}

void set_path_attribute(Pkcs11Uri& uri, std::string_view name, std::string value) {
  struct Text {
    std::string_view name;
    std::optional<std::string> Pkcs11Uri::*member;
  };
  constexpr std::array texts{Text{"token", &Pkcs11Uri::token}, Text{"manufacturer", &Pkcs11Uri::manufacturer},
                             Text{"model", &Pkcs11Uri::model}, Text{"serial", &Pkcs11Uri::serial},
                             Text{"object", &Pkcs11Uri::object}};
  for (const auto& text : texts) {
    if (text.name != name) continue;
    uri.*text.member = text_value(name, std::move(value));
    return;
  }
  if (name == "slot-id") {
    uri.slot_id = slot_number(value);
  } else if (name == "type") {
    uri.type = type_named(value);
  } else if (name == "id") {
    if (value.empty()) refuse(name, "is empty");
    uri.id = std::move(value);
  } else if (name == "pin-source" || name == "module-path") {
    refuse(name, "belongs behind the '?'");
  } else {
    refuse(name, "is not known here; known are token, serial, manufacturer, model, slot-id, object, id, type");
  }
}

void set_query_attribute(Pkcs11Uri& uri, std::string_view name, std::string value) {
  if (name == "pin-source") {
    uri.pin_source = pin_file(text_value(name, std::move(value)));
  } else if (name == "module-path") {
    uri.module_path = module_file(text_value(name, std::move(value)));
  } else {
    refuse(name, "is not known here; known behind the '?' are pin-source and module-path");
  }
}

/// Every user of the machine can read a process's arguments, so a PIN in them is known already. Wherever it stands: as
/// a part of another value it would be shown by the next error.
void refuse_pin(std::string_view text) {
  if (text.find("pin-value=") == std::string_view::npos) return;
  refuse("pin-value", "a PIN does not belong on a command line; use pin-source=file:/PATH or CAPSULE_PKCS11_PIN");
}

/// Calls `set` with each `name=value` of a list, decoded.
template <typename Set>
void each_attribute(std::string_view list, char separator, std::string_view extra, const Set& set) {
  std::set<std::string_view> seen;
  while (!list.empty()) {
    const auto end = list.find(separator);
    const auto attribute = list.substr(0, end);
    if (end != std::string_view::npos && end + 1 == list.size()) refuse("it ends with a separator");
    list.remove_prefix(end == std::string_view::npos ? list.size() : end + 1);
    const auto equals = attribute.find('=');
    const auto name = attribute.substr(0, equals);
    if (equals == std::string_view::npos || name.empty()) refuse("name=value is wanted");
    if (!seen.insert(name).second) refuse(name, "is given twice");
    set(name, decode(name, attribute.substr(equals + 1), extra));
  }
}

}  // namespace

bool is_pkcs11_uri(std::string_view key) noexcept {
  const auto begin = key.find_first_not_of(" \t\r\n");
  return begin != std::string_view::npos && has_scheme(key.substr(begin));
}

Pkcs11Uri Pkcs11Uri::parse(std::string_view text) {
  if (!has_scheme(text)) refuse("it begins with 'pkcs11:'");
  refuse_pin(text);
  if (text.size() > max_text) refuse("it is too long");
  text.remove_prefix(scheme.size());
  const auto mark = text.find('?');
  Pkcs11Uri uri;
  each_attribute(text.substr(0, mark), ';', "&",
                 [&](std::string_view name, std::string value) { set_path_attribute(uri, name, std::move(value)); });
  if (mark == std::string_view::npos) return uri;
  each_attribute(text.substr(mark + 1), '&', "/?|",
                 [&](std::string_view name, std::string value) { set_query_attribute(uri, name, std::move(value)); });
  return uri;
}

std::string Pkcs11Uri::text() const {
  std::string out;
  const auto add = [&out](std::string_view name, const std::string& value, std::string_view plain = unreserved) {
    out += fmt::format("{}{}={}", out.empty() ? "" : ";", name, encode(value, plain));
  };
  if (token) add("token", *token);
  if (manufacturer) add("manufacturer", *manufacturer);
  if (model) add("model", *model);
  if (serial) add("serial", *serial);
  if (slot_id) add("slot-id", std::to_string(*slot_id));
  if (object) add("object", *object);
  if (id) add("id", *id, "");
  if (type) add("type", *type == Type::private_key ? "private" : "public");
  return "pkcs11:" + out;
}

std::string with_module(const std::string& key, std::string_view module) {
  if (module.empty() || !is_pkcs11_uri(key)) return key;
  if (module.find('/') == std::string_view::npos) {
    throw Error{ErrorKind::usage, fmt::format("--pkcs11-module {}: the path of the module is wanted, with its folder",
                                              printable(module, 1024))};
  }
  if (!Pkcs11Uri::parse(key).module_path.empty()) return key;
  const auto mark = key.find('?');  // a later one is part of a value
  const auto* const joint = mark == std::string::npos ? "?" : mark + 1 == key.size() ? "" : "&";
  return fmt::format("{}{}module-path={}", key, joint, encode(module, path_plain));
}

}  // namespace capsule::crypto
