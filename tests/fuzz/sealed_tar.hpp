#pragma once

#include <fmt/format.h>

#include <algorithm>

#include "archive/tar_format.hpp"

/// The input with the checksum of each header block made right, so that the fuzzer gets behind it.
inline capsule::Bytes seal_tar(capsule::ByteView input) {
  namespace archive = capsule::archive;
  capsule::Bytes tar{input.begin(), input.end()};
  for (std::size_t at = 0; at + archive::tar_block_bytes <= tar.size(); at += archive::tar_block_bytes) {
    const auto block = capsule::MutableBytes{tar}.subspan(at, archive::tar_block_bytes);
    if (!capsule::as_text(block).substr(257).starts_with("ustar")) continue;
    const auto sum = fmt::format("{:06o}", archive::tar_checksum(block)) + '\0' + ' ';
    std::copy_n(capsule::as_bytes(sum).begin(), sum.size(), block.begin() + 148);
  }
  return tar;
}
