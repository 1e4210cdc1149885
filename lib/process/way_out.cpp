#include "process/way_out.hpp"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace capsule::process {

namespace {

constexpr int max_waiting = 16;
constexpr std::size_t max_links = 16;
constexpr std::size_t block = std::size_t{64} << 10U;

sockaddr_in loopback(std::uint16_t port) noexcept {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return out;
}

/// The socket functions want a pointer to another type.
const sockaddr* as_address(const sockaddr_in& address) noexcept {
  return reinterpret_cast<const sockaddr*>(&address);
}

bool bring_loopback_up(int socket) noexcept {
  ifreq request{};
  std::memcpy(request.ifr_name, "lo", 3);
  if (::ioctl(socket, SIOCGIFFLAGS, &request) != 0) return false;
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  return ::ioctl(socket, SIOCSIFFLAGS, &request) == 0;
}

bool would_block() noexcept {
  return errno == EAGAIN || errno == EINTR;
}

}  // namespace

int open_way_out(std::uint16_t port) noexcept {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const auto address = loopback(port);
  if (bring_loopback_up(fd) && ::bind(fd, as_address(address), sizeof address) == 0 && ::listen(fd, max_waiting) == 0)
    return fd;
  const int error = errno;
  ::close(fd);
  errno = error;
  return -1;
}

Gate::Gate(fs::Fd listener, std::uint16_t port)
    : m_listener(std::move(listener)),
      m_port(port),
      m_stop(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      m_thread([this] { serve(); }) {}

Gate::~Gate() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(m_stop.get(), &one, sizeof one);
  m_thread.join();
}

void Gate::serve() {
  std::vector<pollfd> polled;
  while (true) {
    polled.clear();
    polled.push_back({m_stop.get(), POLLIN, 0});
    polled.push_back({m_links.size() < max_links ? m_listener.get() : -1, POLLIN, 0});
    for (const auto& link : m_links) {
      for (const std::size_t side : {0U, 1U}) {
        const auto wanted = link.wanted(side);
        polled.push_back({wanted == 0 ? -1 : link.fds.at(side).get(), wanted, 0});
      }
    }
    if (::poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) return;
    if (polled[0].revents != 0) return;
    auto ready = polled.begin() + 2;
    for (auto& link : m_links) {
      for (const std::size_t side : {0U, 1U}) link.serve(side, (ready++)->revents);
    }
    if (polled[1].revents != 0) accept();
    std::erase_if(m_links, [](const Link& link) { return link.is_over(); });
  }
}

void Gate::accept() {
  Link link;
  link.fds[0] = fs::Fd{::accept4(m_listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
  if (!link.fds[0]) return;
  link.fds[1] = fs::Fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!link.fds[1]) return;
  const int yes = 1;  // what is passed on has waited once already
  for (const auto& fd : link.fds) ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  const auto address = loopback(m_port);
  if (::connect(link.fds[1].get(), as_address(address), sizeof address) != 0 && errno != EINPROGRESS) return;
  m_links.push_back(std::move(link));
}

short Gate::Link::wanted(std::size_t side) const {
  int out = 0;
  if (!at_end.at(side) && unsent.at(side).empty()) out |= POLLIN;
  if (!unsent.at(1 - side).empty()) out |= POLLOUT;
  return static_cast<short>(out);
}

void Gate::Link::serve(std::size_t side, short ready) {
  if ((ready & POLLOUT) != 0) write_to(side);
  if ((ready & (POLLIN | POLLHUP | POLLERR)) != 0 && unsent.at(side).empty() && !at_end.at(side)) read_from(side);
}

void Gate::Link::read_from(std::size_t side) {
  auto& text = unsent.at(side);
  text.resize(block);
  const auto count = ::recv(fds.at(side).get(), text.data(), text.size(), 0);
  text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  if (count < 0 && !would_block()) broken = true;
  if (count != 0) return;
  at_end.at(side) = true;
  ::shutdown(fds.at(1 - side).get(), SHUT_WR);
}

void Gate::Link::write_to(std::size_t side) {
  auto& text = unsent.at(1 - side);
  const auto count = ::send(fds.at(side).get(), text.data(), text.size(), MSG_NOSIGNAL);
  if (count > 0) text.erase(0, static_cast<std::size_t>(count));
  if (count < 0 && !would_block()) broken = true;
}

bool Gate::Link::is_over() const {
  return broken || (at_end[0] && at_end[1] && unsent[0].empty() && unsent[1].empty());
}

}  // namespace capsule::process
