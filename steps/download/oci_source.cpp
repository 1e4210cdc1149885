#include "oci_source.hpp"

#include <fmt/format.h>

#include <vector>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "image/capsule_input.hpp"
#include "image/published_package.hpp"
#include "image/signature_files.hpp"
#include "log/log.hpp"
#include "partial_file.hpp"

namespace download {

using namespace capsule;

namespace {

constexpr std::size_t piece_bytes = std::size_t{1} << 20U;

Digest digest_of(Source& package, log::Progress& progress) {
  crypto::Hasher hasher;
  std::vector<std::byte> buffer(piece_bytes);
  while (const auto count = package.read(buffer)) {
    hasher.update(ByteView{buffer}.first(count));
    progress.advance(count);
  }
  return hasher.finish();
}

/// The package, layer after layer, into a file that goes on where a former try ended.
class Transfer {
 public:
  Transfer(oci::Store& from, const image::PublishedPackage& published, PartialFile& partial, log::Progress& progress)
      : m_from(from), m_published(published), m_partial(partial), m_progress(progress) {}

  Digest run() {
    const bool pieced = resume();
    receive();
    auto digest = m_hasher.finish();
    if (!pieced || digest == m_published.package_digest) return digest;
    // What a former try left may be other bytes: only a whole transfer can be blamed.
    m_progress.begin("copying", m_published.size);
    begin_anew();
    receive();
    return m_hasher.finish();
  }

 private:
  void begin_anew() {
    m_partial.begin_anew({.etag = {}, .last_modified = {}, .size = m_published.size});
    m_hasher = crypto::Hasher{};
  }

  /// Whether there is something to go on with; it is hashed.
  bool resume() {
    if (m_partial.size() == 0 || m_partial.validators().size != m_published.size ||
        m_partial.size() > m_published.size) {
      begin_anew();
      return false;
    }
    FunctionSink known{[this](ByteView bytes) {
      m_hasher.update(bytes);
      m_progress.advance(bytes.size());
    }};
    m_partial.read_into(known);
    return true;
  }

  void receive() {
    const auto package = image::open_package(m_from, m_published, m_partial.size());
    std::vector<std::byte> buffer(piece_bytes);
    while (const auto count = package->read(buffer)) {
      const auto bytes = ByteView{buffer}.first(count);
      m_hasher.update(bytes);
      m_partial.append(bytes);
      m_progress.advance(count);
    }
  }

  oci::Store& m_from;
  const image::PublishedPackage& m_published;
  PartialFile& m_partial;
  log::Progress& m_progress;
  crypto::Hasher m_hasher;
};

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

Result already_there(image::CapsuleInput& input, oci::Store& from, const image::PublishedPackage& published,
                     const oci::Reference& reference, const Order& order, log::Progress& progress) {
  progress.begin("hashing", published.size);
  check_claim(digest_of(*input.open(), progress), published, reference);
  copy_siblings(input, from, published, order.store);
  progress.end();
  return {published.package_digest, order.store.package(published.package_digest), true};
}

Result copy_package(image::CapsuleInput& input, oci::Store& from, const image::PublishedPackage& published,
                    const oci::Reference& reference, const Order& order, log::Progress& progress) {
  const auto& digest = published.package_digest;
  PartialFile partial{order.store.root() / "partial",
                      oci::Reference{reference.registry, reference.name, {}, digest}.text()};
  if (order.store.has(digest)) return already_there(input, from, published, reference, order, progress);
  try {
    progress.begin("copying", published.size);
    check_claim(Transfer{from, published, partial, progress}.run(), published, reference);
    order.store.prepare(digest);
    copy_siblings(input, from, published, order.store);
    partial.sync();
    order.store.adopt(digest, partial.path());
    partial.discard();
    progress.end();
  } catch (const Error& error) {
    order.store.discard_unfinished(digest);
    // Refused for what it is: nothing is kept. A dead line, a full disk: the next try goes on from here.
    if (!retry_helps(error.kind())) partial.discard();
    throw;
  }
  return {digest, order.store.package(digest), false};
}

}  // namespace

image::PublishedPackage read_ordered(oci::Store& from, const oci::Reference& reference, const Order& order) {
  auto published = image::read_published(from, reference);
  check_digest(order, published.package_digest, reference.text());
  check_size(order, published.size, reference.text());
  return published;
}

Result name_published(const oci::Reference& reference, const Order& order) {
  const auto from = oci::open_store(reference.registry, reference.name);
  const auto published = read_ordered(*from, reference, order);
  const oci::Reference by_digest{reference.registry, reference.name, {}, published.index.digest};
  return {published.package_digest, {}, true, by_digest};
}

Result fetch_published(const oci::Reference& reference, const Order& order, const Surroundings& surroundings) {
  const auto from = oci::open_store(reference.registry, reference.name);
  const auto published = read_ordered(*from, reference, order);
  const auto& digest = published.package_digest;
  const auto input = image::published_package(*from, published);
  const auto& bring = order.store.has(digest) ? already_there : copy_package;
  return bring(*input, *from, published, reference, order, surroundings.progress);
}

}  // namespace download
