#include "process/process.hpp"

#include <fmt/format.h>

#include <condition_variable>
#include <cstring>
#include <exception>
#include <mutex>
#include <thread>

#include "core/error.hpp"
#include "process/session.hpp"

namespace capsule::process {

std::string Result::describe() const {
  switch (end) {
    case End::timed_out:
      return "over its time limit";
    case End::output_limit:
      return "wrote more than it may";
    case End::memory_limit:
      return "over its memory limit";
    case End::process_limit:
      return "over its limit of processes";
    case End::disk_limit:
      return "the disk that it writes to is nearly full";
    case End::volume_limit:
      return "it wrote more than its volume holds";
    case End::signalled:
      return fmt::format("signal {} ({})", signal, ::strsignal(signal));  // NOLINT(concurrency-mt-unsafe)
    case End::exited:
      break;
  }
  return fmt::format("exit code {}", exit_code);
}

Result run(const Command& command) {
  return Session{command}.wait();
}

struct Background::Impl {
  Impl(const Command& original, Session::BeyondLimit beyond_limit)
      : command(watched(original)), session(command, beyond_limit), worker([this] { serve(); }) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { end(); }

  Command watched(Command original) {
    original.on_output_line = [this, theirs = original.on_output_line](std::string_view text) {
      {
        const std::lock_guard lock{mutex};
        if (!line) line = std::string{text};
      }
      changed.notify_all();
      if (theirs) theirs(text);
    };
    return original;
  }

  void serve() noexcept {
    Result left;
    std::exception_ptr thrown;
    try {
      left = session.wait();
    } catch (...) {
      thrown = std::current_exception();
    }
    const std::lock_guard lock{mutex};
    result = std::move(left);
    failure = thrown;
    over = true;
    changed.notify_all();
  }

  void end() {
    if (!worker.joinable()) return;
    {
      const std::lock_guard lock{mutex};
      if (!over) session.request_end();
    }
    worker.join();
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::optional<std::string> line;
  Result result;
  std::exception_ptr failure;
  bool over = false;
  Command command;
  Session session;
  std::thread worker;
};

Background::Background(const Command& command, BeyondLimit beyond_limit)
    : m_impl(std::make_unique<Impl>(
          command, beyond_limit == BeyondLimit::end ? Session::BeyondLimit::end : Session::BeyondLimit::forget)) {}

Background::~Background() = default;

int Background::pid() const noexcept {
  return m_impl->session.pid();
}

std::string Background::first_line(std::chrono::milliseconds patience) {
  std::unique_lock lock{m_impl->mutex};
  m_impl->changed.wait_for(lock, patience, [this] { return m_impl->line || m_impl->over; });
  if (m_impl->line) return *m_impl->line;
  const auto program = printable(m_impl->command.program, 1024);
  if (!m_impl->over)
    throw Error{ErrorKind::timed_out, fmt::format("{} said nothing within {} ms", program, patience.count())};
  std::string_view words = m_impl->result.error_output;
  constexpr std::size_t last = 500;
  if (words.size() > last) words.remove_prefix(words.size() - last);
  while (words.ends_with('\n')) words.remove_suffix(1);
  throw Error{ErrorKind::capsule_failed, fmt::format("{} ended ({}){}{}", program, m_impl->result.describe(),
                                                     words.empty() ? "" : ": ", printable(words, 2 * last))};
}

void Background::feed(std::string_view text, std::chrono::milliseconds patience) {
  m_impl->session.feed(text, patience);
}

bool Background::has_ended(std::chrono::milliseconds patience) {
  std::unique_lock lock{m_impl->mutex};
  return m_impl->changed.wait_for(lock, patience, [this] { return m_impl->over; });
}

Result Background::stop() {
  m_impl->end();
  if (m_impl->failure) std::rethrow_exception(m_impl->failure);
  return m_impl->result;
}

}  // namespace capsule::process
