#include "warm_pool.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "core/error.hpp"
#include "deploy/run_outcome.hpp"
#include "fs/lock.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "log/log.hpp"

namespace deploy_step {

using namespace capsule;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::string_view socket_name = "agent.sock";
constexpr std::string_view lock_name = "agent.sock.lock";
constexpr std::string_view log_name = "agent.log";
/// For a process to be ready: the agent's own patience with a runner (10 s), and its start.
constexpr auto patience = 12s;
/// An agent has its lock long before that, or will never have it.
constexpr auto patience_for_agent = 3s;
constexpr auto patience_for_end = 10s;
/// An agent says at once how its pool is; one that is stopped says nothing.
constexpr auto patience_for_answer = 3s;
constexpr std::uint64_t max_reply_bytes = std::uint64_t{40} << 20U;

fs::Path agent_program() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) fs::throw_errno("read", "/proc/self/exe", error.value());
  auto beside = self.parent_path() / "capsule-agent";
  if (::access(beside.c_str(), X_OK) != 0)
    throw Error{ErrorKind::not_found, fmt::format("there is no {}", printable(beside.string(), 1024))};
  return beside;
}

/// Whether an agent lives: it holds the lock from its first moments on.
bool is_locked(const fs::Path& folder) {
  try {
    const fs::FileLock lock{folder / lock_name, 0ms};
    return false;
  } catch (const Error& error) {
    return error.kind() == ErrorKind::busy;
  }
}

std::string last_line_of_log(const fs::Path& folder) {
  try {
    auto text = fs::read_file(folder / log_name, std::size_t{1} << 20U);
    while (text.ends_with('\n')) text.pop_back();
    return printable(text.substr(text.rfind('\n') + 1), 400);
  } catch (const Error&) {
    return {};
  }
}

}  // namespace

struct WarmPool::State {
  bool reached = false;
  std::string capsule;
  std::uint64_t replicas = 0;
  std::uint64_t ready = 0;
  std::string cold;
};

WarmPool::WarmPool(Wish wish) : m_wish(std::move(wish)) {}

http::Response WarmPool::send(http::Method method, const std::string& path, std::string body,
                              std::optional<std::chrono::milliseconds> time_limit) {
  http::Request request{.method = method, .url = Url::parse("http://localhost" + path), .body = std::move(body)};
  request.response_limit = max_reply_bytes;
  if (time_limit) request.time_limit = *time_limit;
  try {
    return m_client->send(request);
  } catch (const Error& error) {
    // The client speaks of a host and a port, which a socket has not; and what is said here gets into a run record.
    log::debug("the agent does not answer", {{"reason", error.message()}});
    if (error.kind() == ErrorKind::timed_out)
      throw Error{error.kind(), "the agent of the warm pool did not answer in time"};
    if (!retry_helps(error.kind())) throw;
    throw Error{error.kind(), "nothing answers at the socket of the warm pool's agent: it is gone, or went away"};
  }
}

WarmPool::State WarmPool::ask() {
  State state;
  try {
    const auto reply = send(http::Method::get, "/v1/pool", {}, patience_for_answer);
    http::expect_success(reply, "the agent");
    const auto value = json::parse(reply.body, "the agent's answer");
    const json::Cursor top{value, "the agent's answer"};
    state.capsule = top.at("capsule").string();
    state.replicas = top.at("replicas").uint64();
    state.ready = top.at("ready").uint64();
    if (const auto cold = top.at("cold"); !cold.value().is_null()) state.cold = cold.string();
    state.reached = true;
  } catch (const Error& error) {
    state.cold = error.message();
  }
  return state;
}

void WarmPool::start() {
  std::error_code ignored;
  std::filesystem::remove(m_wish.folder / log_name, ignored);
  process::Command command;
  command.program = agent_program().string();
  const auto& work = m_wish.workload;
  command.arguments = {"--root",      work.root.string(),
                       "--data",      work.data.string(),
                       "--installed", work.installed.string(),
                       "--socket",    (m_wish.folder / socket_name).string(),
                       "--replicas",  fmt::format("{}", m_wish.replicas)};
  command.environment = {{"PATH", "/usr/bin:/bin"}, {"LANG", "C.UTF-8"}};
  process::start_detached(command, (m_wish.folder / log_name).string());
}

WarmPool::Readiness WarmPool::warm() {
  try {
    make_private_folder();
    auto state = ask();
    if (!state.reached || !state.cold.empty() || state.capsule != m_wish.capsule.text() ||
        state.replicas != m_wish.replicas) {
      end(m_wish.folder);
      make_private_folder();
      start();
    }
    return wait_until_ready();
  } catch (const Error& error) {
    m_cold_reason = error.message();
    return {0, m_cold_reason};
  }
}

WarmPool::Readiness WarmPool::wait_until_ready() {
  const auto began = Clock::now();
  State state;
  while (Clock::now() < began + patience) {
    state = ask();
    if (state.ready > 0) return {static_cast<unsigned>(state.ready), {}};
    if (state.reached && !state.cold.empty()) break;
    if (!state.reached && Clock::now() > began + patience_for_agent && !is_locked(m_wish.folder)) {
      state.cold = fmt::format("the agent ended: {}", last_line_of_log(m_wish.folder));
      break;
    }
    std::this_thread::sleep_for(10ms);
  }
  m_cold_reason = state.cold.empty() ? fmt::format("no process was ready within {} s", patience.count()) : state.cold;
  return {0, m_cold_reason};
}

void WarmPool::make_private_folder() {
  const auto& folder = m_wish.folder;
  if (::mkdir(folder.c_str(), S_IRWXU) != 0 && errno != EEXIST) fs::throw_errno("create the folder", folder, errno);
  m_folder = fs::Fd{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (!m_folder) fs::throw_errno("enter the folder, which must be no link,", folder, errno);
  if (::fchmod(m_folder.get(), S_IRWXU) != 0) fs::throw_errno("protect the folder", folder, errno);
  auto socket = folder / socket_name;
  if (socket.string().size() >= sizeof sockaddr_un{}.sun_path)
    socket = fs::Path{fmt::format("/proc/self/fd/{}", m_folder.get())} / socket_name;
  http::CurlLimits limits;
  limits.unix_socket = socket.string();
  m_client.emplace(limits);
}

std::optional<json::Value> WarmPool::outcome_of(const deploy::RunRequest& request) {
  const auto path = "/v1/runs/" + request.run_id();
  auto input = request.input();
  input.if_object()->set("time_limit_ms", std::int64_t{m_wish.time_limit.count()});
  try {
    auto reply = send(http::Method::post, path, json::compact(input));
    while (true) {
      http::expect_success(reply, "the agent");
      const auto value = json::parse(reply.body, "the agent's answer", {max_reply_bytes, 40});
      if (const auto* outcome = value.at_pointer("/outcome"); outcome != nullptr) return *outcome;
      reply = send(http::Method::get, path + "?wait_ms=20000");
    }
  } catch (const Error& error) {
    m_cold_reason = error.message();
    return std::nullopt;
  }
}

std::optional<deploy::RunFacts> WarmPool::run(const deploy::RunRequest& request) {
  const auto outcome = outcome_of(request);
  if (!outcome) return std::nullopt;
  auto read = deploy::outcome_from(json::Cursor{*outcome, "the agent's answer"}, m_wish.watts);
  const auto say = deploy::excerpt_of("run");
  for (const auto& line : read.log) say(line);
  read.facts.start = {deploy::RunStart::Mode::warm, "a process of the warm pool waited for it"};
  return std::move(read.facts);
}

unsigned WarmPool::refilled(std::chrono::milliseconds time) {
  const auto deadline = Clock::now() + time;
  auto state = ask();
  while (state.reached && state.cold.empty() && state.ready < m_wish.replicas && Clock::now() < deadline) {
    std::this_thread::sleep_for(10ms);
    state = ask();
  }
  return static_cast<unsigned>(state.ready);
}

void WarmPool::end(const fs::Path& folder) {
  std::error_code error;
  if (std::filesystem::is_symlink(folder, error)) {  // what it points to is not ours
    std::filesystem::remove(folder, error);
    if (error) fs::throw_errno("remove the link", folder, error.value());
    return;
  }
  if (!std::filesystem::exists(folder, error)) return;
  const auto deadline = Clock::now() + patience_for_end;
  do {
    // One that is just starting may put its socket there after this.
    std::filesystem::remove(folder / socket_name, error);
    if (is_locked(folder)) {
      std::this_thread::sleep_for(20ms);
      continue;
    }
    std::filesystem::remove_all(folder, error);
    if (error) fs::throw_errno("remove the folder", folder, error.value());
    return;
  } while (Clock::now() < deadline);
  throw Error{ErrorKind::busy, fmt::format("the agent of {} does not end: see who holds the lock {} there",
                                           printable(folder.string(), 1024), lock_name)};
}

}  // namespace deploy_step
