#include "download.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "file_source.hpp"
#include "further_signers.hpp"
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

Result fetch(const Options& options, const Surroundings& surroundings) {
  const image::WorkingStore store{options.store.empty() ? options.state / "store" : fs::Path{options.store}};
  Order order{store, {}, options.max_bytes, [&](const fs::Path& package) { return wanted_bundles(package, options); }};
  if (!options.digest.empty()) {
    order.wanted = as_usage("--digest", [&] { return Digest::parse(options.digest); });
    static_cast<void>(store.package(*order.wanted));  // refuses what names no package
  }
  const auto& source = options.source;
  const bool stays = options.hand_over == "registry";
  const auto published = [&](const oci::Reference& reference) {
    return stays ? name_published(reference, order) : fetch_published(reference, order, surroundings);
  };
  if (index::CapsuleUri::looks_like(source)) {
    const auto resolved = resolve_uri(index::CapsuleUri::parse(source), options, surroundings.progress);
    check_digest(order, resolved.package_digest, source);
    order.wanted = resolved.package_digest;
    return published(resolved.reference);
  }
  if (oci::Reference::looks_like(source)) return published(oci::Reference::parse(source, options.registries.access()));
  if (stays) {
    throw Error{ErrorKind::usage,
                fmt::format("{} is in no registry, so its reference cannot be handed over: publish it "
                            "first (capsule-build does)",
                            printable(source))};
  }
  const auto scheme = scheme_of(source);
  if (scheme == "https" || scheme == "http") return fetch_url(Url::parse(source), order, surroundings);
  if (!scheme.empty())
    throw Error{ErrorKind::usage, fmt::format("a package cannot be had from '{}://'", printable(scheme))};
  return fetch_file(source, order, surroundings);
}

}  // namespace download
