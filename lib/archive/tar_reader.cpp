#include "archive/tar_reader.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"

namespace capsule::archive {

namespace {

constexpr std::uint64_t max_extension_bytes = std::uint64_t{64} << 10U;

[[noreturn]] void refuse(std::string_view reason) {
  throw Error{ErrorKind::invalid_input, fmt::format("the package's tar is refused: {}", reason)};
}

bool all_zero(ByteView bytes) noexcept {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

/// Octal digits, as tools write them: leading spaces, digits, then NULs or spaces to the end of the field.
std::uint64_t parse_octal(ByteView field, std::string_view what) {
  const auto text = as_text(field);
  auto i = std::min(text.find_first_not_of(' '), text.size());
  const auto start = i;
  std::uint64_t value = 0;
  for (; i < text.size() && text[i] >= '0' && text[i] <= '7'; ++i)
    value = value * 8 + static_cast<std::uint64_t>(text[i] - '0');
  const bool ended = text.find_first_not_of(std::string_view{"\0 ", 2}, i) == std::string_view::npos;
  if (i == start || !ended) refuse(fmt::format("a header's {} is not octal (negative and base-256 are refused)", what));
  return value;
}

/// Text up to the first NUL; what follows it must be NUL too.
std::string_view parse_text(ByteView field) {
  const auto text = as_text(field);
  const auto end = std::min(text.find('\0'), text.size());
  if (!all_zero(field.subspan(end))) refuse("a name has a NUL inside");
  return text.substr(0, end);
}

bool is_gnu(ByteView block) noexcept {
  return as_text(block.subspan(257, 8)) == std::string_view{"ustar  \0", 8};
}

}  // namespace

void TarReader::feed(ByteView bytes) {
  while (!bytes.empty()) {
    std::size_t taken = 0;
    switch (m_state) {
      case State::header:
        taken = take_header(bytes);
        break;
      case State::extension:
        taken = take_extension(bytes);
        break;
      case State::content:
        taken = take_content(bytes);
        break;
      case State::padding:
        taken = take_padding(bytes);
        break;
    }
    m_offset += taken;
    bytes = bytes.subspan(taken);
  }
}

bool TarReader::at_boundary() const noexcept {
  return m_state == State::header && m_fill == 0 && !m_pax && !m_gnu_name && m_header_bytes.empty() &&
         m_zero_blocks == 0;
}

void TarReader::finish() const {
  const bool at_block = m_state == State::header && m_fill == 0;
  if (!at_block || m_zero_blocks < 2) refuse("it is cut off: two zero blocks must end it");
}

std::size_t TarReader::take_header(ByteView bytes) {
  const auto count = std::min(bytes.size(), tar_block_bytes - m_fill);
  std::copy_n(bytes.begin(), count, m_block.begin() + static_cast<std::ptrdiff_t>(m_fill));
  m_fill += count;
  if (m_fill == tar_block_bytes) {
    m_fill = 0;
    parse_block();
  }
  return count;
}

std::size_t TarReader::take_extension(ByteView bytes) {
  const auto count = std::min<std::size_t>(bytes.size(), static_cast<std::size_t>(m_rest));
  m_extension_bytes.insert(m_extension_bytes.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
  m_rest -= count;
  if (m_rest == 0) end_extension();
  return count;
}

std::size_t TarReader::take_content(ByteView bytes) {
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), m_rest));
  m_handler.entry_bytes(bytes.first(count));
  m_rest -= count;
  if (m_rest == 0) end_file();
  return count;
}

std::size_t TarReader::take_padding(ByteView bytes) {
  const auto count = std::min<std::size_t>(bytes.size(), m_padding);
  if (!all_zero(bytes.first(count))) refuse("the padding behind an entry is not zero");
  m_padding -= count;
  if (m_padding == 0) m_state = State::header;
  return count;
}

void TarReader::end_block() {
  if (m_pax || m_gnu_name) refuse("an extended header has no entry behind it");
  ++m_zero_blocks;
  if (m_zero_blocks > 2) m_canonical = false;
}

void TarReader::parse_block() {
  if (all_zero(m_block)) return end_block();
  if (m_zero_blocks > 0) refuse("there is data behind its end");
  const ByteView block = m_block;
  const bool ustar = as_text(block.subspan(257, 8)) == std::string_view{"ustar\00000", 8};
  if (!ustar && !is_gnu(block)) refuse("a header is neither ustar nor GNU");
  if (parse_octal(block.subspan(148, 8), "checksum") != tar_checksum(block)) refuse("a header's checksum is wrong");
  if (ustar && !all_zero(block.subspan(500))) refuse("the padding of a header is not zero");
  m_header_bytes.insert(m_header_bytes.end(), m_block.begin(), m_block.end());
  const auto type = std::to_integer<char>(m_block[156]);
  switch (type) {
    case '0':
    case '\0':
      return begin_file(name_of_block(), size_of_block());
    case '5':
      return begin_folder(name_of_block(), size_of_block());
    case 'x':
      return begin_extension(Extension::pax, parse_octal(block.subspan(124, 12), "size"));
    case 'g':
      return begin_extension(Extension::pax_global, parse_octal(block.subspan(124, 12), "size"));
    case 'L':
      return begin_extension(Extension::gnu_name, parse_octal(block.subspan(124, 12), "size"));
    case '1':
    case '2':
    case 'K':
      refuse(
          fmt::format("'{}' is a link: a capsule holds regular files only", printable(parse_text(block.first(100)))));
    case '3':
    case '4':
    case '6':
      refuse(fmt::format("'{}' is a device or FIFO: a capsule holds regular files only",
                         printable(parse_text(block.first(100)))));
    default:
      refuse(fmt::format("an entry has the type '{}': a capsule holds regular files only",
                         printable(std::string_view{&type, 1})));
  }
}

void TarReader::begin_extension(Extension kind, std::uint64_t size) {
  if (kind == Extension::pax && m_pax) refuse("two pax headers stand before one entry");
  if (kind == Extension::gnu_name && m_gnu_name) refuse("two long names stand before one entry");
  if (size == 0 || size > max_extension_bytes) refuse("an extended header is empty, or over 64 KiB");
  m_extension = kind;
  m_extension_bytes.clear();
  m_rest = size;
  m_padding = tar_padding(size);
  m_state = State::extension;
}

void TarReader::end_extension() {
  const ByteView bytes = m_extension_bytes;
  if (m_extension == Extension::pax) m_pax = parse_pax(bytes, PaxScope::next_entry);
  if (m_extension == Extension::pax_global) parse_pax(bytes, PaxScope::global);
  if (m_extension == Extension::gnu_name) m_gnu_name = std::string{parse_text(bytes)};
  if (m_extension == Extension::pax) {
    m_header_bytes.insert(m_header_bytes.end(), bytes.begin(), bytes.end());
    m_header_bytes.resize(m_header_bytes.size() + m_padding);
  } else {
    m_canonical = false;
    m_header_bytes.clear();
  }
  m_state = m_padding == 0 ? State::header : State::padding;
}

std::string TarReader::name_of_block() {
  const ByteView block = m_block;
  if (m_pax && m_pax->path && m_gnu_name) refuse("an entry has two long names");
  if (m_pax && m_pax->path) return *m_pax->path;
  if (m_gnu_name) return *m_gnu_name;
  std::string name{parse_text(block.first(100))};
  if (is_gnu(block)) return name;  // other fields stand in the place of the prefix
  const auto prefix = parse_text(block.subspan(345, 155));
  return prefix.empty() ? name : fmt::format("{}/{}", prefix, name);
}

/// A pax size counts only where the field cannot hold it: nobody can be told two sizes.
std::uint64_t TarReader::size_of_block() {
  const auto field = parse_octal(ByteView{m_block}.subspan(124, 12), "size");
  if (!m_pax || !m_pax->size) return field;
  if (*m_pax->size <= max_ustar_size && *m_pax->size != field) refuse("an entry has two sizes");
  return *m_pax->size;
}

std::optional<Executable> TarReader::canonical_mode(const fs::SafePath& path, std::uint64_t size) const {
  for (const auto mode : {Executable::no, Executable::yes}) {
    if (m_header_bytes == tar_entry_header(path, size, mode)) return mode;
  }
  return std::nullopt;
}

void TarReader::forget_extensions() {
  m_pax.reset();
  m_gnu_name.reset();
  m_header_bytes.clear();
}

void TarReader::begin_file(std::string_view name, std::uint64_t size) {
  const auto path = fs::SafePath::parse(name.starts_with("./") ? name.substr(2) : name);
  const auto mode = canonical_mode(path, size);
  m_canonical = m_canonical && mode;
  forget_extensions();
  m_rest = size;
  m_padding = tar_padding(size);
  m_handler.begin_entry({path, size, mode});
  m_state = State::content;
  if (size == 0) end_file();
}

void TarReader::end_file() {
  m_handler.end_entry();
  m_state = m_padding == 0 ? State::header : State::padding;
}

void TarReader::begin_folder(std::string_view name, std::uint64_t size) {
  if (size != 0) refuse("a folder has content");
  m_canonical = false;
  forget_extensions();
  if (name.ends_with('/')) name.remove_suffix(1);
  if (name.empty() || name == ".") return;  // the root itself, as GNU tar and Python's tarfile write it
  m_handler.folder(fs::SafePath::parse(name.starts_with("./") ? name.substr(2) : name));
}

}  // namespace capsule::archive
