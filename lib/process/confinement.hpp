#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "process/excess.hpp"

namespace capsule::process {

enum class Network { none, host };

/// Limits of each process of a command; what is not set stays as it is. They are only ever lowered. Core dumps are off
/// in any case.
struct Limits {
  std::optional<std::uint64_t> cpu_seconds;
  std::optional<std::uint64_t> address_space;  ///< bytes; reservations count, so PyTorch or CUDA may need a lot
  /// Bytes of private writable memory that a process may ask for, and of memory that all processes hold together.
  std::optional<std::uint64_t> memory;
  /// Processes and threads of the user as whom it runs, counted over the whole machine.
  std::optional<std::uint64_t> processes;
  std::optional<std::uint64_t> descendants;  ///< processes of its own at a time: with more, all of it is ended
  std::optional<std::uint64_t> file_size;    ///< bytes
  /// Bytes that stay free of each file system that it can write into (of a small one a sixteenth): with less the
  /// command is not started, or ended.
  std::optional<std::uint64_t> disk_reserve;
  std::optional<std::uint64_t> open_files;
  int niceness = 0;  ///< 19: what else is in our control group comes before it

  /// What counts for all its processes together.
  [[nodiscard]] Most together() const noexcept;
};

/// A folder that may hold so much, as a volume of Kubernetes: its kubelet looks about once a minute, and takes the pod
/// away.
struct Volume {
  std::string folder;
  std::uint64_t size = 0;  ///< bytes
};

/// What is taken from a child between fork and exec. Each part is had as far as the kernel and our own rights allow;
/// Result::held and Result::missing say what was had, by these names:
///
/// | name               | what it means                                                                         |
/// |--------------------|---------------------------------------------------------------------------------------|
/// | user               | runs as `user`, without groups and capabilities                                       |
/// | no-new-privileges  | setuid programs give nothing                                                          |
/// | user-namespace     | an ordinary user may have the namespaces that follow                                  |
/// | network-namespace  | no network, not even our loopback, but for the way out                                |
/// | way-out            | one port of our loopback can be reached, and no other                                 |
/// | ipc-namespace      | no System V shared memory of others                                                   |
/// | mount-namespace    | nothing but the writable folders can be written, /dev/shm is its own                  |
/// | pid-namespace      | sees and signals only its own processes, which all end with the first                 |
/// | landlock           | can open only what is readable and writable here; no TCP, no signals to others        |
/// | seccomp            | no socket but UNIX ones, or TCP for a way out; no ptrace, bpf, io_uring, namespace, … |
/// | limits             | `limits`, of each process                                                             |
/// | memory-sum         | all of its processes end when they hold more than `limits.memory`, or are too many    |
/// | disk-reserve       | they end when less than `limits.disk_reserve` is free where they write                |
/// | volume-size        | they end when the folder of `volume` holds more than its size                         |
///
/// With Network::none and a wish for a network namespace, a child that has neither that nor the filter is not started.
///
/// "landlock-scope" is missing where Landlock is older than signals (ABI 6).
struct Confinement {
  /// User and group. Error denied when we may not become it; missing when it does not exist in our user namespace.
  std::optional<unsigned> user;
  Network network = Network::none;
  /// With Network::none: the one TCP port of our 127.0.0.1 that it can reach all the same, at the same address.
  std::optional<std::uint16_t> way_out;
  /// A child that could reach more of the network than its way out is not started: Error unmet_requirement.
  bool only_way_out = false;
  bool user_namespace = false;     ///< so that an ordinary user has the namespaces below
  bool network_namespace = false;  ///< only with Network::none
  bool mount_namespace = false;
  bool pid_namespace = false;
  bool landlock = false;
  bool seccomp = false;
  /// Absolute paths of folders or files, beside the system's own (/usr, /etc, …) and the program.
  std::vector<std::string> readable;
  std::vector<std::string> writable;  ///< the same; must exist
  Limits limits;
  std::optional<Volume> volume{};
};

/// Enough for an honest capsule; a fork bomb needs more. `memory`: what it asks for, in bytes, of which it gets at most
/// 15/16 of what is available now; without, it gets half of the machine's memory, or 3/4 of what is available if that
/// is less. Where a control group allows less than the machine has (a pod's limit), that counts instead.
Limits usual_limits(std::optional<std::uint64_t> memory = std::nullopt);

/// The user as whom capsule code runs where we may choose: the one that images use.
inline constexpr unsigned capsule_user = 65532;

/// How code that we do not trust runs here. As root: as capsule_user, with every part above but a user namespace. As
/// anybody else: as the same user; where user namespaces are not to be had, without the other namespaces too.
std::shared_ptr<const Confinement> confine_strangers(std::vector<std::string> readable,
                                                     std::vector<std::string> writable, Network network = Network::none,
                                                     std::optional<std::uint16_t> way_out = std::nullopt,
                                                     Limits limits = usual_limits());

}  // namespace capsule::process
