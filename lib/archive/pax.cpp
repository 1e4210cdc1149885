#include "archive/pax.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <string_view>

#include "core/error.hpp"

namespace capsule::archive {

namespace {

constexpr std::array<std::string_view, 16> ignored_keys{"atime",
                                                        "mtime",
                                                        "ctime",
                                                        "uid",
                                                        "gid",
                                                        "uname",
                                                        "gname",
                                                        "comment",
                                                        "SCHILY.dev",
                                                        "SCHILY.ino",
                                                        "SCHILY.nlink",
                                                        "SCHILY.fflags",
                                                        "SCHILY.devmajor",
                                                        "SCHILY.devminor",
                                                        "LIBARCHIVE.creationtime",
                                                        "RHT.security.selinux"};
constexpr std::array<std::string_view, 3> ignored_prefixes{"SCHILY.xattr.", "SCHILY.acl.", "LIBARCHIVE.xattr."};

[[noreturn]] void refuse(std::string_view reason) {
  throw Error{ErrorKind::invalid_input, fmt::format("a pax header is refused: {}", reason)};
}

/// A decimal number without sign or leading zeros.
std::optional<std::uint64_t> parse_decimal(std::string_view text) {
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  std::uint64_t value = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc{} && stop == end ? std::optional{value} : std::nullopt;
}

bool is_ignored(const PaxRecord& record) {
  if (record.key == "hdrcharset" || record.key == "charset")
    return record.value == "ISO-IR 10646 2000 UTF-8" || record.value == "BINARY";
  if (std::find(ignored_keys.begin(), ignored_keys.end(), record.key) != ignored_keys.end()) return true;
  return std::any_of(ignored_prefixes.begin(), ignored_prefixes.end(),
                     [&](std::string_view prefix) { return record.key.starts_with(prefix); });
}

void take(const PaxRecord& record, PaxScope scope, PaxRecords& out) {
  if (is_ignored(record)) return;
  const bool known = record.key == "path" || record.key == "size";
  if (!known || scope == PaxScope::global)
    refuse(fmt::format("the record '{}' cannot stand in a capsule", printable(record.key)));
  if (record.key == "path") {
    out.path = std::string{record.value};
    return;
  }
  out.size = parse_decimal(record.value);
  if (!out.size) refuse(fmt::format("'{}' is no size", printable(record.value)));
}

}  // namespace

PaxRecord take_pax_record(std::string_view& text) {
  const auto space = text.substr(0, 20).find(' ');
  const auto length = space == std::string_view::npos ? std::nullopt : parse_decimal(text.substr(0, space));
  if (!length || *length > text.size() || *length < space + 4) refuse("a record's length is wrong");
  const auto record = text.substr(space + 1, static_cast<std::size_t>(*length) - space - 1);
  text.remove_prefix(static_cast<std::size_t>(*length));
  const auto equals = record.find('=');
  if (record.back() != '\n' || equals == std::string_view::npos || equals == 0) refuse("a record is malformed");
  return {record.substr(0, equals), record.substr(equals + 1, record.size() - equals - 2)};
}

PaxRecords parse_pax(ByteView records, PaxScope scope) {
  PaxRecords out;
  std::set<std::string_view> seen;
  for (auto text = as_text(records); !text.empty();) {
    const auto record = take_pax_record(text);
    if (!seen.insert(record.key).second) refuse(fmt::format("the record '{}' stands twice", printable(record.key)));
    take(record, scope, out);
  }
  return out;
}

}  // namespace capsule::archive
