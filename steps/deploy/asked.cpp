#include "asked.hpp"

#include <algorithm>

#include "crypto/hash.hpp"
#include "json/write.hpp"

namespace deploy_step {

using namespace capsule;

namespace {

json::Array texts(const std::vector<std::string>& all) {
  return {all.begin(), all.end()};
}

}  // namespace

std::string asked(const Order& order) {
  const auto& options = order.options;
  auto unmet = options.allow_unmet;
  std::sort(unmet.begin(), unmet.end());
  const json::Object all{{"reference", order.reference.text()},
                         {"agentImage", options.images.agent},
                         {"verifyImage", options.images.verify},
                         {"runtimeImage", options.images.runtime},
                         {"capsuleVolume", options.capsule_volume},
                         {"gpuClaim", options.gpu_claim},
                         {"operator", options.operator_mode},
                         {"insecureRegistries", texts(options.registries.insecure_registries)},
                         {"allowUnmet", texts(unmet)}};
  return std::string{crypto::sha256(json::canonical(all)).hex().substr(0, 16)};
}

}  // namespace deploy_step
