#include "termination.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "kube/client.hpp"
#include "kube/lease.hpp"
#include "log/log.hpp"
#include "step/run.hpp"
#include "step/signals.hpp"

namespace deploy_step {

using namespace capsule;
using namespace std::chrono_literals;

void give_back_on_termination(const kube::Choice& cluster, const kube::Name& lease, const std::string& holder) {
  step::words_on_termination(
      "its Lease is given back, a run that was begun goes on in its pod; the same call goes on from here");
  // On a thread of its own, with a client of its own.
  step::on_termination([cluster, lease, holder] {
    try {
      kube::Client client{kube::load(cluster), {.retry = {{.attempts = 3}, 5s}, .limit = 5s}};
      kube::Lease{client, lease, holder}.give_back();
    } catch (const std::exception& error) {
      log::warning(fmt::format("{} is not given back, it runs out by itself: {}", kube::text_of(lease), error.what()));
    }
  });
}

}  // namespace deploy_step
