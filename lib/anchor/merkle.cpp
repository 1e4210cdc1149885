#include "anchor/merkle.hpp"

#include <algorithm>
#include <bit>

#include "crypto/hash.hpp"

namespace capsule::anchor {

namespace {

TreeHash to_tree_hash(const Digest& digest) {
  TreeHash out{};
  const auto bytes = from_hex(digest.hex());
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

/// The largest power of two smaller than `size`; `size` > 1.
std::uint64_t split_of(std::uint64_t size) {
  return std::bit_floor(size - 1);
}

/// MTH of leaves [begin, begin + size), where `begin` is a multiple of the largest power of two below `size`.
TreeHash range_hash(std::uint64_t begin, std::uint64_t size, const HashReader& hashes) {
  if (std::has_single_bit(size)) {
    const auto level = static_cast<unsigned>(std::countr_zero(size));
    return hashes(level, begin >> level);
  }
  const std::uint64_t left = split_of(size);
  return node_hash(range_hash(begin, left, hashes), range_hash(begin + left, size - left, hashes));
}

}  // namespace

TreeHash leaf_hash(ByteView entry) {
  crypto::Hasher hasher;
  const std::array prefix{std::byte{0}};
  hasher.update(prefix);
  hasher.update(entry);
  return to_tree_hash(hasher.finish());
}

TreeHash node_hash(const TreeHash& left, const TreeHash& right) {
  crypto::Hasher hasher;
  const std::array prefix{std::byte{1}};
  hasher.update(prefix);
  hasher.update(left);
  hasher.update(right);
  return to_tree_hash(hasher.finish());
}

TreeHash root_hash(std::uint64_t size, const HashReader& hashes) {
  return size == 0 ? to_tree_hash(crypto::sha256(ByteView{})) : range_hash(0, size, hashes);
}

std::vector<TreeHash> inclusion_path(std::uint64_t index, std::uint64_t size, const HashReader& hashes) {
  std::vector<TreeHash> path;
  std::uint64_t begin = 0;
  while (size > 1) {
    const std::uint64_t left = split_of(size);
    if (index - begin < left) {
      path.push_back(range_hash(begin + left, size - left, hashes));
      size = left;
    } else {
      path.push_back(range_hash(begin, left, hashes));
      begin += left;
      size -= left;
    }
  }
  std::reverse(path.begin(), path.end());
  return path;
}

bool path_leads_to(const TreeHash& root, const TreeHash& leaf, std::uint64_t index, std::uint64_t size,
                   const std::vector<TreeHash>& path) {
  if (index >= size) return false;
  std::uint64_t fn = index;
  std::uint64_t sn = size - 1;
  TreeHash hash = leaf;
  for (const auto& sibling : path) {
    if (sn == 0) return false;
    if ((fn & 1U) != 0 || fn == sn) {
      hash = node_hash(sibling, hash);
      while ((fn & 1U) == 0 && fn != 0) {
        fn >>= 1U;
        sn >>= 1U;
      }
    } else {
      hash = node_hash(hash, sibling);
    }
    fn >>= 1U;
    sn >>= 1U;
  }
  return sn == 0 && hash == root;
}

}  // namespace capsule::anchor
