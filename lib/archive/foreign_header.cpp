#include "archive/foreign_header.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "archive/pax.hpp"
#include "archive/tar_format.hpp"
#include "core/error.hpp"

namespace capsule::archive {

namespace {

[[noreturn]] void refuse(std::string_view reason) {
  throw Error{ErrorKind::invalid_input, std::string{reason}};
}

/// Of an extension's body. No tool writes one of 8 GiB, so that only octal digits are read.
std::uint64_t body_size(std::string_view block) {
  auto field = block.substr(124, 12);
  field.remove_prefix(std::min(field.find_first_not_of(' '), field.size()));
  std::uint64_t size = 0;
  const auto [stop, error] = std::from_chars(field.data(), field.data() + field.size(), size, 8);
  if (error != std::errc{}) refuse("an extended header has no size");
  return size;
}

void check_records(std::string_view records) {
  while (!records.empty()) {
    const auto record = take_pax_record(records);
    if (record.key.starts_with("GNU.sparse.")) refuse("it is a sparse file: write the tar without holes");
    const bool is_name = record.key == "path" || record.key == "linkpath";
    if (is_name && record.value.find('\0') != std::string_view::npos) refuse("there is a NUL byte in its name");
  }
}

}  // namespace

void check_foreign_header(std::string_view blocks) {
  while (blocks.size() >= tar_block_bytes) {
    const char type = blocks[156];
    if (type == 'S') refuse("it is a sparse file: write the tar without holes");
    const bool has_records = type == 'x' || type == 'g' || type == 'X';
    const bool is_extension = has_records || type == 'L' || type == 'K' || type == 'A' || type == 'V';
    if (!is_extension) return;
    const auto size = type == 'V' ? 0 : body_size(blocks);  // the body of a volume's label is not skipped
    blocks.remove_prefix(tar_block_bytes);
    if (size > blocks.size()) refuse("an extended header is cut off");
    if (has_records) check_records(blocks.substr(0, static_cast<std::size_t>(size)));
    blocks.remove_prefix(std::min<std::size_t>(static_cast<std::size_t>(size) + tar_padding(size), blocks.size()));
  }
}

}  // namespace capsule::archive
