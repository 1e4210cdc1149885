#include "archive/tar_format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>

namespace capsule::archive {

namespace {

constexpr std::size_t name_bytes = 100;
constexpr std::size_t prefix_offset = 345;
constexpr std::size_t prefix_bytes = 155;
constexpr std::string_view pax_name = "././@PaxHeader";

struct UstarName {
  std::string_view prefix;
  std::string_view name;
};

/// Cut at the last slash that leaves a prefix of at most 155 bytes; nothing if the rest is over 100 bytes even then.
std::optional<UstarName> split(std::string_view path) {
  if (path.size() <= name_bytes) return UstarName{{}, path};
  const auto slash = path.substr(0, prefix_bytes + 1).rfind('/');
  if (slash == std::string_view::npos || path.size() - slash - 1 > name_bytes) return std::nullopt;
  return UstarName{path.substr(0, slash), path.substr(slash + 1)};
}

void put(MutableBytes block, std::size_t offset, std::string_view text) {
  std::copy_n(as_bytes(text).begin(), text.size(), block.subspan(offset).begin());
}

void append_block(Bytes& out, const UstarName& name, std::uint64_t size, std::string_view mode, char type) {
  out.resize(out.size() + tar_block_bytes);
  const auto block = MutableBytes{out}.last(tar_block_bytes);
  put(block, 0, name.name);
  put(block, 100, mode);
  put(block, 108, "0000000");
  put(block, 116, "0000000");
  put(block, 124, fmt::format("{:011o}", size));
  put(block, 136, "00000000000");
  block[156] = static_cast<std::byte>(type);
  put(block, 257, std::string_view{"ustar\00000", 8});
  put(block, 329, "0000000");
  put(block, 337, "0000000");
  put(block, prefix_offset, name.prefix);
  put(block, 148, fmt::format("{:06o}", tar_checksum(block)) + '\0' + ' ');
}

/// "<length> <key>=<value>\n", the length counting itself.
std::string pax_record(std::string_view key, std::string_view value) {
  const auto rest = key.size() + value.size() + 3;
  auto length = rest + 1;
  while (fmt::formatted_size("{}", length) + rest != length) ++length;
  return fmt::format("{} {}={}\n", length, key, value);
}

std::string pax_records(const fs::SafePath& path, std::uint64_t size) {
  std::string records;
  if (!split(path.text())) records += pax_record("path", path.text());
  if (size > max_ustar_size) records += pax_record("size", fmt::format("{}", size));
  return records;
}

}  // namespace

std::uint32_t tar_checksum(ByteView block) noexcept {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < tar_block_bytes; ++i) {
    const bool is_checksum = i >= 148 && i < 156;
    sum += is_checksum ? std::uint32_t{' '} : std::to_integer<std::uint32_t>(block[i]);
  }
  return sum;
}

Executable executable_of(ByteView first_bytes) noexcept {
  const auto text = as_text(first_bytes);
  return text.starts_with("#!") || text.starts_with("\177ELF") ? Executable::yes : Executable::no;
}

Bytes tar_entry_header(const fs::SafePath& path, std::uint64_t size, Executable executable) {
  Bytes out;
  const auto records = pax_records(path, size);
  if (!records.empty()) {
    append_block(out, {{}, pax_name}, records.size(), "0000644", 'x');
    const auto view = as_bytes(records);
    out.insert(out.end(), view.begin(), view.end());
    out.resize(out.size() + tar_padding(records.size()));
  }
  const auto name = split(path.text()).value_or(UstarName{{}, std::string_view{path.text()}.substr(0, name_bytes)});
  append_block(out, name, size > max_ustar_size ? 0 : size, executable == Executable::yes ? "0000755" : "0000644", '0');
  return out;
}

std::size_t tar_entry_header_size(const fs::SafePath& path, std::uint64_t size) {
  const auto records = pax_records(path, size).size();
  return tar_block_bytes + (records == 0 ? 0 : tar_block_bytes + records + tar_padding(records));
}

void append_tar_entry(Bytes& tar, const fs::SafePath& path, ByteView content) {
  const auto header = tar_entry_header(path, content.size(), executable_of(content));
  tar.insert(tar.end(), header.begin(), header.end());
  tar.insert(tar.end(), content.begin(), content.end());
  tar.resize(tar.size() + tar_padding(content.size()));
}

}  // namespace capsule::archive
