#include "loopback.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <system_error>
#include <thread>

#include "core/error.hpp"
#include "log/log.hpp"

namespace generate_proof {

using namespace capsule;

namespace {

constexpr const char* own_network = "/proc/thread-self/ns/net";

/// A new network namespace has a loopback, which is down.
bool bring_up_loopback() noexcept {
  const fs::Fd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  if (!socket) return false;
  ifreq request{};
  std::memcpy(request.ifr_name, "lo", 3);
  if (::ioctl(socket.get(), SIOCGIFFLAGS, &request) != 0) return false;
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  return ::ioctl(socket.get(), SIOCSIFFLAGS, &request) == 0;
}

void leave_the_network() {
  if (::unshare(CLONE_NEWNET) != 0) {
    log::warning("the proof hook can reach the network: a loopback of its own is not to be had",
                 {{"reason", std::generic_category().message(errno)}});
    return;
  }
  if (!bring_up_loopback()) {
    throw Error{ErrorKind::unavailable, fmt::format("the loopback for the proof hook cannot be brought up: {}",
                                                    std::generic_category().message(errno))};
  }
}

}  // namespace

HomeNetwork::HomeNetwork() : m_namespace(::open(own_network, O_RDONLY | O_CLOEXEC)) {}

void HomeNetwork::enter() const {
  if (!m_namespace || ::geteuid() != 0) return;  // nobody else has left it
  if (::setns(m_namespace.get(), CLONE_NEWNET) != 0) {
    throw Error{ErrorKind::unavailable,
                fmt::format("the way out of the hook's network is shut: {}", std::generic_category().message(errno))};
  }
}

void with_loopback_alone(const std::function<void()>& work) {
  std::exception_ptr failure;
  std::thread apart{[&] {
    try {
      leave_the_network();
      work();
    } catch (...) {
      failure = std::current_exception();
    }
  }};
  apart.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace generate_proof
