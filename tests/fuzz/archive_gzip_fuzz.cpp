// The two ways in which a package can be gzipped: one member of ours, and one stream of another tool. The first byte of
// the input chooses; the CRC of a member of ours is made right, so that the fuzzer gets behind it.
#include <algorithm>
#include <cstdlib>

#include "archive/crc32.hpp"
#include "archive/foreign_gzip.hpp"
#include "archive/gzip_member.hpp"
#include "core/error.hpp"

namespace {

using namespace capsule;           // NOLINT
using namespace capsule::archive;  // NOLINT

void read_foreign(ByteView bytes) {
  ViewSource rest{bytes.subspan(bytes.size() / 2)};
  ForeignGzip gzip{bytes.first(bytes.size() / 2), rest};
  Bytes buffer(65536);
  std::size_t total = 0;
  while (const auto count = gzip.read(buffer)) {
    total += count;
    if (total > (std::size_t{16} << 20U)) return;
  }
}

void decode_member(ByteView bytes) {
  const auto sizes = parse_member_header(bytes);
  if (!sizes || sizes->member > bytes.size()) return;
  MemberDecoder decoder;
  DecodedMember decoded;
  decoder.decode(bytes.first(sizes->member), *sizes, decoded);
  std::size_t total = 0;
  for (const auto piece : decoded.pieces) total += piece.size();
  if (total != sizes->data) std::abort();
  if (!decoded.canonical_stored) return;
  Bytes data;
  for (const auto piece : decoded.pieces) data.insert(data.end(), piece.begin(), piece.end());
  const auto again = encode_stored(data);
  if (!std::equal(again.begin(), again.end(), bytes.begin(),
                  bytes.begin() + static_cast<std::ptrdiff_t>(sizes->member)))
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView bytes{reinterpret_cast<const std::byte*>(data + 1), size - 1};
  try {
    if (data[0] % 2 == 0)
      read_foreign(bytes);
    else
      decode_member(bytes);
  } catch (const Error&) {  // refused
  }
  return 0;
}
