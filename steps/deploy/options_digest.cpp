#include "options_digest.hpp"

#include <algorithm>

#include "cluster/receipt.hpp"
#include "crypto/hash.hpp"
#include "json/write.hpp"
#include "oci/store.hpp"
#include "step/values.hpp"

namespace deploy_step {

using namespace capsule;

namespace {

json::Array texts(const std::vector<std::string>& all) {
  return {all.begin(), all.end()};
}

/// The same version in the registry to which the loop publishes; nothing where it is not there.
std::optional<oci::Reference> copy_of(const image::PublishedPackage& published, const Order& order) {
  if (order.options.registry.empty()) return std::nullopt;
  auto registry = oci::RegistryLocation::parse(order.options.registry, order.reference.registry.shared_access());
  if (registry == order.reference.registry) return std::nullopt;
  try {
    const auto store = oci::open_store(registry, published.name);
    const auto there = store->resolve(published.version);
    if (!there || image::read_published(*store, there->digest).capsule_digest != published.capsule_digest)
      return std::nullopt;
    return oci::Reference{std::move(registry), published.name, {}, there->digest};
  } catch (const Error& error) {
    if (retry_helps(error.kind())) throw;
    return std::nullopt;
  }
}

}  // namespace

std::string options_digest(const Options& options, const oci::Reference& reference) {
  auto unmet = options.allow_unmet;
  std::sort(unmet.begin(), unmet.end());
  const json::Object all{{"reference", reference.text()},
                         {"agentImage", options.images.agent},
                         {"verifyImage", options.images.verify},
                         {"runtimeImage", options.images.runtime},
                         {"capsuleVolume", step::word_for(cluster::capsule_volumes, options.capsule_volume)},
                         {"gpuClaim", options.gpu_claim},
                         {"operator", step::word_for(cluster::operator_modes, options.operator_mode)},
                         {"insecureRegistries", texts(options.registries.insecure_registries)},
                         {"allowUnmet", texts(unmet)}};
  return std::string{crypto::sha256(json::canonical(all)).hex().substr(0, 16)};
}

std::string options_digest_of_loop(const Order& order, const image::PublishedPackage& published,
                                   std::string_view receipt) {
  const auto then = cluster::options_digest_in(receipt);
  auto now = options_digest(order.options, order.reference);
  if (now == then) return now;
  const auto copy = copy_of(published, order);
  return copy && options_digest(order.options, *copy) == then ? then : now;
}

}  // namespace deploy_step
