#include "hand_over.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "crypto/pkcs11_uri.hpp"
#include "image/published_package.hpp"
#include "log/log.hpp"
#include "oci_source.hpp"
#include "upload.hpp"
#include "url_source.hpp"

namespace download {

using namespace capsule;

namespace {

oci::RegistryLocation registry_of(const Options& options) {
  if (options.registry.empty()) {
    throw Error{ErrorKind::usage, fmt::format("{} is in no registry: --registry must say in which one to hand it over",
                                              printable(options.source))};
  }
  const auto access = std::make_shared<oci::Access>(*options.registries.access());
  if (!options.state.empty()) access->uploads = (options.state / "uploads").string();
  return oci::RegistryLocation::parse(options.registry, access);
}

/// Nothing, with the reason in the log, where there is no policy to go by: verify, which needs one, says so.
std::optional<attest::TrustPolicy> trust_of(const Options& options) {
  try {
    return attest::find_trust(options.trust, crypto::with_module(options.key, options.pkcs11_module),
                              options.state.string());
  } catch (const Error& error) {
    log::warning("no signature of the version comes along", {{"reason", error.message()}});
    return std::nullopt;
  }
}

Result put(image::CapsuleInput& input, const oci::RegistryLocation& registry, const std::optional<Digest>& wanted,
           const Options& options, const Surroundings& surroundings) {
  const auto done =
      upload_untagged({input, registry, wanted, [&] { return trust_of(options); }, surroundings.progress});
  return {done.package_digest, {}, done.already_there, done.reference, done.bytes_written};
}

}  // namespace

bool leaves_layout(const oci::Reference& source, const Options& options) {
  return source.registry.is_layout() && !options.registry.empty() &&
         !oci::RegistryLocation::parse(options.registry).is_layout();
}

Result hand_over_url(const Url& url, const Options& options, const Order& order, const Surroundings& surroundings) {
  const auto registry = registry_of(options);
  const auto fetched = fetch_url(url, order, surroundings);
  return put(*image::package_file(fetched.path), registry, fetched.digest, options, surroundings);
}

Result hand_over_file(const fs::Path& path, const Options& options, const Order& order,
                      const Surroundings& surroundings) {
  const auto registry = registry_of(options);
  const auto input = image::package_file(path);
  check_size(order, input->size(), printable(path.string(), 1024));
  return put(*input, registry, order.wanted, options, surroundings);
}

Result hand_over_published(const oci::Reference& source, const Options& options, const Order& order,
                           const Surroundings& surroundings) {
  const auto registry = registry_of(options);
  const auto from = oci::open_store(source.registry, source.name);
  const auto published = read_ordered(*from, source, order);
  auto done =
      put(*image::published_package(*from, published), registry, published.package_digest, options, surroundings);
  if (done.reference->digest == published.index.digest) return done;
  throw Error{ErrorKind::verification_failed,
              fmt::format("{}: its image or index is not the one that its package makes", source.text())};
}

}  // namespace download
