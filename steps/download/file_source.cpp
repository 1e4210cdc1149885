#include "file_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "fs/atomic_file.hpp"
#include "image/signature_files.hpp"

namespace download {

using namespace capsule;

namespace {

/// Reads all of a file into `sink`; its digest. Refuses early what is too large or no gzip.
Digest read(fs::FileSource& file, const std::string& where, Sink& sink, log::Progress& progress) {
  crypto::HashingSink hashing{sink};
  std::vector<std::byte> buffer(std::size_t{1} << 20U);
  bool first = true;
  while (const auto count = read_fully(file, buffer)) {
    const auto bytes = ByteView{buffer}.first(count);
    if (first) check_magic(bytes, where);
    first = false;
    hashing.write(bytes);
    progress.advance(count);
  }
  if (first) check_magic({}, where);
  return hashing.finish();
}

void copy_siblings(const fs::Path& path, const Digest& digest, const image::WorkingStore& store) {
  auto suffixes = image::further_signatures(path);
  suffixes.resize(std::min(suffixes.size(), image::max_signature_bundles));
  suffixes.insert(suffixes.end(), image::sibling_suffixes.begin(), image::sibling_suffixes.end());
  suffixes.emplace_back(image::index_suffix);
  for (const auto& suffix : suffixes) {
    auto sibling = path;
    sibling += suffix;
    std::error_code ignored;
    if (std::filesystem::exists(sibling, ignored))
      store.put_sibling(digest, suffix, fs::read_file(sibling, image::max_sibling_bytes));
  }
}

}  // namespace

Result fetch_file(const fs::Path& path, const Order& order, const Surroundings& surroundings) {
  const auto where = printable(path.string(), 1024);
  auto& progress = surroundings.progress;
  fs::FileSource file{path};
  check_size(order, file.size(), where);
  progress.begin("hashing", file.size());
  NullSink nowhere;
  const auto digest = read(file, where, nowhere, progress);
  check_digest(order, digest, where);
  const bool there = order.store.has(digest);
  order.store.prepare(digest);
  try {
    copy_siblings(path, digest, order.store);
    if (!there) {
      fs::FileSource again{path};
      fs::AtomicFile target{order.store.package(digest)};
      progress.begin("copying", again.size());
      if (read(again, where, target, progress) != digest)
        throw Error{ErrorKind::busy, fmt::format("{} was changed while it was read", where)};
      target.commit();
    }
  } catch (...) {
    order.store.discard_unfinished(digest);
    throw;
  }
  progress.end();
  return {digest, order.store.package(digest), there};
}

}  // namespace download
