#include "oci_source.hpp"

#include <fmt/format.h>

#include <vector>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "fs/atomic_file.hpp"
#include "image/capsule_input.hpp"
#include "image/published_package.hpp"
#include "image/signature_files.hpp"
#include "log/log.hpp"

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

/// The version index, and whoever signed it. One bundle that cannot be read must not hide a good one.
void copy_siblings(image::CapsuleInput& package, oci::Store& from, const image::PublishedPackage& published,
                   const image::WorkingStore& store) {
  const auto& digest = published.package_digest;
  store.put_sibling(digest, image::index_suffix, from.manifest(published.index.digest));
  std::string suffix;  // of the first, none
  for (const auto& bundle : package.signatures({})) {
    try {
      const auto text = bundle.read();
      if (!suffix.empty()) suffix = image::content_suffix(text);
      store.put_sibling(digest, suffix + std::string{image::index_bundle_suffix}, text);
      suffix = "next";
    } catch (const Error& error) {
      if (retry_helps(error.kind())) throw;
      log::warning("a signature is left out", {{"bundle", bundle.where}, {"reason", error.message()}});
    }
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
      copy_siblings(*input, *from, published, order.store);
    } else {
      fs::AtomicFile target{order.store.package(digest)};
      check_claim(read(*package, target, progress), published, reference);
      copy_siblings(*input, *from, published, order.store);
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
