#include "fs/beneath.hpp"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <functional>

#include "core/error.hpp"
#include "fs/temporary.hpp"

using capsule::Error;
using capsule::ErrorKind;
using namespace capsule::fs;

namespace {

/// From now on openat2 fails with `error` in this process.
bool lose_openat2(int error) {
  std::array<sock_filter, 4> code{{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                                   BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
                                   BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)),
                                   BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)}};
  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/// What `work` says in a process without openat2.
bool holds_without_openat2(int error, const std::function<bool()>& work) {
  const auto child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) ::_exit(lose_openat2(error) && work() ? 0 : 1);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return status == 0;
}

bool is_refused(ErrorKind kind, const std::function<void()>& call) {
  try {
    call();
    return false;
  } catch (const Error& error) {
    return error.kind() == kind;
  }
}

}  // namespace

TEST_CASE("without openat2 files are created and read beneath a folder all the same, and no link is followed") {
  const TemporaryFolder outside{temporary_parent()};
  const TemporaryFolder folder{temporary_parent()};
  const auto& root = folder.path();
  std::filesystem::create_directory_symlink(outside.path(), root / "link");
  std::filesystem::create_symlink("/etc/hostname", root / "name");
  for (const int error : {ENOSYS, EPERM}) {
    INFO(error);
    const auto path = SafePath::parse("a/b/" + std::to_string(error));
    CHECK(holds_without_openat2(error, [&] {
      const auto file = create_beneath(root, path, 0644);
      return ::write(file.get(), "text", 4) == 4 && read_beneath(root, path, 10) == "text";
    }));
    const auto refused = [&](ErrorKind kind, const char* text, auto call) {
      INFO(text);
      const auto named = SafePath::parse(text);
      CHECK(holds_without_openat2(error, [&] { return is_refused(kind, [&] { call(named); }); }));
    };
    const auto open = [&](const SafePath& named) { open_beneath(root, named); };
    const auto create = [&](const SafePath& named) { create_beneath(root, named, 0644); };
    for (const auto* text : {"link/file", "link/a/b", "link", "name"}) refused(ErrorKind::invalid_input, text, open);
    refused(ErrorKind::not_found, "a/none", open);
    refused(ErrorKind::invalid_input, "link/x", create);
    refused(ErrorKind::conflict, path.text().c_str(), create);
  }
  CHECK(std::filesystem::is_empty(outside.path()));
}
