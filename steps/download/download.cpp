#include "download.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "file_source.hpp"
#include "further_signers.hpp"
#include "hand_over.hpp"
#include "index_source.hpp"
#include "oci_source.hpp"
#include "url_source.hpp"

namespace download {

using namespace capsule;

namespace {

constexpr std::array<std::byte, 3> gzip_magic{std::byte{0x1f}, std::byte{0x8b}, std::byte{0x08}};

/// "ftp" of "ftp://…"; empty for a path.
std::string_view scheme_of(std::string_view source) {
  const auto end = source.find("://");
  if (end == std::string_view::npos || end == 0) return {};
  const auto scheme = source.substr(0, end);
  const bool plain = std::all_of(scheme.begin(), scheme.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '-';
  });
  return plain ? scheme : std::string_view{};
}

}  // namespace

void check_magic(ByteView first_bytes, const std::string& where) {
  const auto length = std::min(first_bytes.size(), gzip_magic.size());
  const bool same =
      std::equal(gzip_magic.begin(), gzip_magic.begin() + static_cast<std::ptrdiff_t>(length), first_bytes.begin());
  if (length == 0) throw Error{ErrorKind::invalid_input, fmt::format("{} is empty, no package", where)};
  if (!same) throw Error{ErrorKind::invalid_input, fmt::format("{} is no package: it is not gzip", where)};
}

void check_digest(const Order& order, const Digest& got, const std::string& where) {
  if (!order.wanted || *order.wanted == got) return;
  throw Error{ErrorKind::verification_failed,
              fmt::format("{} has the digest {}, not {}", where, got.text(), order.wanted->text())};
}

void check_size(const Order& order, std::uint64_t size, const std::string& where) {
  if (size <= order.max_bytes) return;
  throw Error{ErrorKind::invalid_input, fmt::format("{} has {}, more than the {} that are accepted", where,
                                                    human_size(size), human_size(order.max_bytes))};
}

Result fetch(const Options& options, const Surroundings& surroundings) {
  const image::WorkingStore store{options.store.empty() ? options.state / "store" : fs::Path{options.store}};
  Order order{store, {}, options.max_bytes, [&](const fs::Path& package) { return wanted_bundles(package, options); }};
  if (!options.digest.empty()) {
    order.wanted = as_usage("--digest", [&] { return Digest::parse(options.digest); });
    static_cast<void>(store.package(*order.wanted));  // refuses what names no package
  }
  const auto& source = options.source;
  const bool into_registry = options.hand_over == HandOver::registry;
  const auto published = [&](const oci::Reference& reference) {
    if (!into_registry) return fetch_published(reference, order, surroundings);
    if (leaves_layout(reference, options)) return hand_over_published(reference, options, order, surroundings);
    return name_published(reference, order);
  };
  if (index::CapsuleUri::looks_like(source)) {
    const auto resolved = resolve_uri(index::CapsuleUri::parse(source), options, surroundings.progress);
    check_digest(order, resolved.package_digest, source);
    order.wanted = resolved.package_digest;
    auto result = published(resolved.reference);
    result.index_head = resolved.head;
    return result;
  }
  if (oci::Reference::looks_like(source)) return published(oci::Reference::parse(source, options.registries.access()));
  const auto scheme = scheme_of(source);
  if (scheme == "https" || scheme == "http") {
    const auto url = Url::parse(source);
    return into_registry ? hand_over_url(url, options, order, surroundings) : fetch_url(url, order, surroundings);
  }
  if (!scheme.empty())
    throw Error{ErrorKind::usage, fmt::format("a package cannot be had from '{}://'", printable(scheme))};
  return into_registry ? hand_over_file(source, options, order, surroundings) : fetch_file(source, order, surroundings);
}

}  // namespace download
