#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "fs/fd.hpp"

namespace capsule::process {

// The one door of a network namespace: who connects to a port of its loopback is connected to the same port of ours.

/// In the namespace, after a fork, async-signal-safe: brings its loopback up and listens there. -1 on failure, with
/// errno.
int open_way_out(std::uint16_t port) noexcept;

/// With the caller: passes on what comes through, on a thread of its own, until this goes.
class Gate {
 public:
  /// `listener` is what open_way_out() gave in the namespace. Connections above 16 wait.
  Gate(fs::Fd listener, std::uint16_t port);
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  ~Gate();

 private:
  /// Two connections: [0] from the namespace, [1] to our port.
  struct Link {
    std::array<fs::Fd, 2> fds;
    std::array<std::string, 2> unsent;  ///< was read from fds[i], goes to the other
    std::array<bool, 2> at_end{};       ///< nothing more comes from fds[i]
    bool broken = false;

    [[nodiscard]] short wanted(std::size_t side) const;
    void serve(std::size_t side, short ready);
    void read_from(std::size_t side);
    void write_to(std::size_t side);
    [[nodiscard]] bool is_over() const;
  };

  void serve();
  void accept();

  fs::Fd m_listener;
  std::uint16_t m_port;
  fs::Fd m_stop;
  std::vector<Link> m_links;
  std::thread m_thread;
};

}  // namespace capsule::process
