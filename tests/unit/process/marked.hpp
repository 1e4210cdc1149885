#pragma once

#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include "programs.hpp"

/// How many processes carry this in their environment.
inline int count_with_mark(const std::string& mark) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator{"/proc"}) {
    std::ifstream file{entry.path() / "environ"};
    const std::string environment{std::istreambuf_iterator<char>{file}, {}};
    if (environment.find(mark) != std::string::npos) ++count;
  }
  return count;
}

/// Marks what a command starts, to find what is left of it.
struct Marked {
  explicit Marked(capsule::process::Command original) : command(std::move(original)) {
    static std::atomic<int> number = 0;
    mark = "CAPSULE_TEST_MARK=" + std::to_string(::getpid()) + "-" + std::to_string(++number) + ".";
    command.environment["CAPSULE_TEST_MARK"] = mark.substr(mark.find('=') + 1);
  }
  capsule::process::Command command;
  std::string mark;
};

inline capsule::process::Result run_and_check_nothing_is_left(capsule::process::Command command) {
  const Marked marked{std::move(command)};
  auto result = capsule::process::run(marked.command);
  CHECK(count_with_mark(marked.mark) == 0);
  return result;
}

inline capsule::process::Command limited(capsule::process::Command command, std::chrono::milliseconds time) {
  command.time_limit = time;
  return command;
}
