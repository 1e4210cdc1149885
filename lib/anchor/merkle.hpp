#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "core/bytes.hpp"

namespace capsule::anchor {

/// One node of a Merkle tree: SHA-256, 32 bytes.
using TreeHash = std::array<std::byte, 32>;

/// RFC 6962 §2.1: SHA-256(0x00 ‖ entry) and SHA-256(0x01 ‖ left ‖ right).
TreeHash leaf_hash(ByteView entry);
TreeHash node_hash(const TreeHash& left, const TreeHash& right);

/// The hash of the complete subtree number `index` of height `level`: leaves [index·2^level, (index+1)·2^level).
using HashReader = std::function<TreeHash(unsigned level, std::uint64_t index)>;

/// The root of the tree over the first `size` leaves (RFC 6962 §2.1); of no leaves, SHA-256 of nothing. Reads O(log
/// size) hashes.
TreeHash root_hash(std::uint64_t size, const HashReader& hashes);

/// The audit path of leaf `index` in the tree of `size` leaves (RFC 6962 §2.1.1), from the leaf upwards. `index` <
/// `size`.
std::vector<TreeHash> inclusion_path(std::uint64_t index, std::uint64_t size, const HashReader& hashes);

/// Whether an audit path leads from `leaf` to `root` (RFC 9162 §2.1.3.2); false for a path of the wrong length.
bool path_leads_to(const TreeHash& root, const TreeHash& leaf, std::uint64_t index, std::uint64_t size,
                   const std::vector<TreeHash>& path);

}  // namespace capsule::anchor
