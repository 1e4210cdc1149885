#include "oci_source.hpp"

#include <fmt/format.h>

#include <vector>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "fs/atomic_file.hpp"
#include "image/capsule_input.hpp"
#include "image/published_package.hpp"

namespace download {

using namespace capsule;

namespace {

Digest read(Source& package, Sink& sink, log::Progress& progress) {
  crypto::HashingSink hashing{sink};
  std::vector<std::byte> buffer(std::size_t{1} << 20U);
  while (const auto count = package.read(buffer)) {
    hashing.write(ByteView{buffer}.first(count));
    progress.advance(count);
  }
  return hashing.finish();
}

void copy_siblings(image::CapsuleInput& package, const Digest& digest, const image::WorkingStore& store) {
  for (const auto suffix : image::sibling_suffixes) {
    if (const auto content = package.sibling(suffix)) store.put_sibling(digest, suffix, *content);
  }
}

void check_claim(const Digest& got, const image::PublishedPackage& published, const oci::Reference& reference) {
  if (got == published.package_digest) return;
  throw Error{ErrorKind::verification_failed,
              fmt::format("{}: the package is {}, not {} as the registry says", reference.text(), got.text(),
                          published.package_digest.text())};
}

}  // namespace

Result fetch_published(const oci::Reference& reference, const Order& order, const Surroundings& surroundings) {
  const auto from = oci::open_store(reference.registry, reference.name);
  const auto published = image::read_published(*from, reference);
  const auto& digest = published.package_digest;
  check_digest(order, digest, reference.text());
  if (published.size > order.max_bytes) {
    throw Error{ErrorKind::invalid_input, fmt::format("{} has {}, more than the {} that are accepted", reference.text(),
                                                      human_size(published.size), human_size(order.max_bytes))};
  }
  auto& progress = surroundings.progress;
  const bool there = order.store.has(digest);
  const auto input = image::published_package(*from, published);
  const auto package = input->open();
  progress.begin(there ? "hashing" : "copying", published.size);
  order.store.prepare(digest);
  try {
    if (there) {
      NullSink nowhere;
      check_claim(read(*package, nowhere, progress), published, reference);
      copy_siblings(*input, digest, order.store);
    } else {
      fs::AtomicFile target{order.store.package(digest)};
      check_claim(read(*package, target, progress), published, reference);
      copy_siblings(*input, digest, order.store);
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
