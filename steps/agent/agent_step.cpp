#include "agent_step.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <functional>
#include <thread>

#include "capsule/manifest.hpp"
#include "capsule/quantity.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "fs/lock.hpp"
#include "fs/safe_path.hpp"
#include "hook_service.hpp"
#include "install_self.hpp"
#include "json/write.hpp"
#include "process/process.hpp"
#include "repeat.hpp"
#include "serve/server.hpp"
#include "service.hpp"
#include "step/values.hpp"

namespace agent {

using namespace capsule;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t max_head_file = std::size_t{16} << 20U;

/// Which file a path names now; nothing when there is none.
std::optional<std::pair<dev_t, ino_t>> identity_of(const fs::Path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return std::nullopt;
  return std::pair{status.st_dev, status.st_ino};
}

/// Stops the server once its socket is not where it was: whoever takes it away wants the agent to end, and nobody could
/// reach it any more.
std::function<void()> socket_watch(serve::Server& server, const fs::Path& socket) {
  return [&server, socket, before = identity_of(socket)] {
    if (identity_of(socket) != before) server.stop();
  };
}

void check(const Options& options) {
  if (options.root.empty() || options.data.empty())
    throw Error{ErrorKind::usage, "give --root DIR, --data DIR, and one of --socket FILE and --listen ADDRESS:PORT"};
  if (options.socket.empty() == options.listen.empty())
    throw Error{ErrorKind::usage, "give one of --socket FILE and --listen ADDRESS:PORT"};
  if (!options.hook.empty() && (options.way_out == 0 || options.listen.empty()))
    throw Error{ErrorKind::usage, "--hook FILE needs --listen ADDRESS:PORT and --way-out PORT"};
  if (options.hook.empty() && options.way_out != 0) throw Error{ErrorKind::usage, "--way-out goes with --hook"};
}

serve::Limits server_limits() {
  serve::Limits limits;
  limits.threads = 4;
  limits.rate = {1e6, 1e6};
  return limits;
}

/// Whoever started us may wait for this line.
void say_where(const serve::Server& server, const Digest& capsule) {
  fmt::print("{}\n", json::compact(json::Object{{"url", server.url()}, {"capsule", capsule.text()}}));
  std::fflush(stdout);
}

void serve_on_socket(Service& service, const serve::Listen& listen, const Digest& capsule) {
  service.prepare();
  serve::Server server{listen, server_limits(), [&](const auto& request) { return service.answer(request); }};
  const Repeat watch{200ms, socket_watch(server, listen.unix_socket)};
  if (::chmod(listen.unix_socket.c_str(), 0600) != 0) fs::throw_errno("protect", listen.unix_socket, errno);
  say_where(server, capsule);
  server.run();
}

/// As in a pod, whose probes are answered from the beginning on.
void serve_on_port(Service& service, const serve::Listen& listen, const Digest& capsule) {
  serve::Server server{listen, server_limits(), [&](const auto& request) { return service.answer(request); }};
  std::exception_ptr failure;
  std::thread preparation{[&] {
    try {
      service.prepare();
      say_where(server, capsule);
    } catch (...) {
      failure = std::current_exception();
      server.stop();
    }
  }};
  server.run();
  preparation.join();
  if (failure) std::rethrow_exception(failure);
}

std::optional<std::uint64_t> data_size(const Options& options) {
  if (options.data_size.empty()) return std::nullopt;
  const auto thousandths = parse_quantity_milli(options.data_size).value_or(0);
  if (thousandths < 1000)
    throw Error{ErrorKind::usage,
                fmt::format("--data-size: '{}' is no size, such as 4Gi", printable(options.data_size))};
  return thousandths / 1000;
}

/// One call of the capsule's proof hook, for which nothing is installed: as on one machine.
void serve_hook(const Options& options, const Manifest& manifest, const Digest& capsule) {
  HookService service{{options.root, as_usage("--hook", [&] { return fs::SafePath::parse(options.hook).text(); }),
                       options.data, options.way_out, manifest.memory_bytes(), data_size(options),
                       !options.allow_hook_network}};
  auto limits = server_limits();
  limits.body_bytes = deploy::max_run_record_bytes;
  serve::Server server{serve::Listen::parse(options.listen), limits,
                       [&](const auto& request) { return service.answer(request); }};
  say_where(server, capsule);
  server.run();
}

PoolSize pool_size(const Options& options, const Manifest& manifest) {
  PoolSize size{options.replicas.value_or(std::max(manifest.prewarm_replicas, 1U)), options.runs, {}};
  if (size.runs) size.claims = options.data.string() + ".runs";
  return size;
}

}  // namespace

void define_options(CLI::App& app, Options& options) {
  const auto path_into = [](fs::Path& path) {
    return [&path](const std::string& text) { path = absolute(fs::Path{text}); };
  };
  app.add_option_function<std::string>("--root", path_into(options.root),
                                       "The unpacked capsule, which was verified; only read")
      ->type_name("DIR");
  app.add_option_function<std::string>("--data", path_into(options.data), "Folder that the capsule's code may write")
      ->type_name("DIR");
  app.add_option(
         "--data-size", options.data_size,
         "What DATA may hold, as a Kubernetes quantity: capsule code that writes more is ended [what its disk has]")
      ->type_name("SIZE");
  app.add_option_function<std::string>(
         "--installed", path_into(options.installed),
         "File that says that install.sh is done, made when it is [DATA with .installed behind it]")
      ->type_name("FILE");
  app.add_option("--socket", options.socket, "UNIX socket to serve on; the agent ends when it is taken away")
      ->type_name("FILE");
  app.add_option("--listen", options.listen, "Address and port to serve on instead, as in a pod")
      ->type_name("ADDRESS:PORT");
  app.add_option("--replicas", options.replicas,
                 "Processes that wait; 0: a run's process is started for it [the manifest's prewarm, at least 1]")
      ->type_name("N")
      ->check(step::whole_number(0, 1000));
  app.add_option(
         "--runs", options.runs,
         "Runs that there may ever be, as in a pod: then no process waits any more; remembered in DATA with .runs "
         "behind it [no limit]")
      ->type_name("N")
      ->check(step::whole_number(1, 1000));
  step::add_duration(app, "--timeout", options.timeout, "Time limit of install.sh and of healthcheck.sh, each")
      ->capture_default_str();

  app.add_option("--hook", options.hook,
                 "The capsule's proof hook, a file in ROOT: with this the agent serves one call of it, and no runs")
      ->type_name("FILE");
  app.add_option("--way-out", options.way_out, "Port of our loopback, the only one that the hook may reach")
      ->type_name("PORT")
      ->check(step::whole_number(1, 65535));
  app.add_flag("--allow-hook-network", options.allow_hook_network,
               "Run the hook even where the kernel cannot keep it from the rest of the network (before Linux 6.7)");

  auto* install = app.add_subcommand("install", "Copy this program to a file, for a container whose image has none");
  install->add_option_function<std::string>("file", path_into(options.target), "Where to, or a folder")
      ->required()
      ->type_name("FILE");
  app.require_subcommand(0, 1);
}

const step::Manual& manual() {
  static const step::Manual text{{},
                                 "capsule-agent --root /capsule --data /data/capsule --listen 0.0.0.0:8700 --runs 1",
                                 {10, 12, 13, 15, 16, 40, 41, 42},
                                 {{"install", "capsule-agent install /agent/capsule-agent"}}};
  return text;
}

void run(const Options& options) {
  check(options);
  const auto manifest = parse_manifest(fs::read_file(options.root / "capsule.json", max_head_file));
  const auto capsule = crypto::sha256(fs::read_file(options.root / "checksum.sha256", max_head_file));
  auto installed = options.installed;
  if (installed.empty()) installed = options.data.string() + ".installed";
  const deploy::Workload workload{options.root, manifest.entrypoint,     options.data,
                                  installed,    manifest.memory_bytes(), data_size(options)};

  process::keep_others_out();
  std::optional<Repeat> reaping;
  if (::getpid() == 1) reaping.emplace(1s, [] { process::reap_adopted(); });
  if (!options.hook.empty()) return serve_hook(options, manifest, capsule);
  Service service{workload, capsule, pool_size(options, manifest), options.timeout};
  if (options.socket.empty()) return serve_on_port(service, serve::Listen::parse(options.listen), capsule);
  // A path may be longer than the address of a socket, a name is not.
  const fs::Path socket{options.socket};
  const auto folder = socket.parent_path();
  if (!folder.empty() && ::chdir(folder.c_str()) != 0) fs::throw_errno("enter", folder, errno);
  serve::Listen listen;
  listen.unix_socket = socket.filename();
  const fs::FileLock lock{listen.unix_socket + ".lock", 0ms};
  serve_on_socket(service, listen, capsule);
}

void install(const Options& options, step::Context& step) {
  const auto file = install_self(options.target);
  step.result("file", file.string());
  step.summary(file.string() + "\n");
}

}  // namespace agent
