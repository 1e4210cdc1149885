#include "proof_service_step.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <optional>

#include "core/error.hpp"
#include "json/write.hpp"
#include "serve/server.hpp"
#include "service.hpp"
#include "step/signals.hpp"
#include "step/values.hpp"

namespace proof_service {

using namespace capsule;

namespace {

Secret read_api_key(const std::string& file) {
  if (file.empty()) return {};
  auto text = as_usage("", [&] { return fs::read_file(file, 4096); });
  text.erase(text.find_last_not_of("\r\n") + 1);
  if (text.empty()) throw Error{ErrorKind::usage, "the file of --api-key-file is empty"};
  return Secret{std::move(text)};
}

void make_folder_of(const fs::Path& file) {
  std::error_code error;
  if (file.has_parent_path()) std::filesystem::create_directories(file.parent_path(), error);
  if (error) fs::throw_errno("create the folder", file.parent_path(), error.value());
}

/// A check of evidence takes half a minute at most, a pod's grace period is that long by default.
constexpr std::chrono::seconds grace{25};

/// Returns once a signal has come and what was asked until then is answered. A second signal ends the process at once.
void serve_until_signal(serve::Server& server) {
  step::words_on_termination("");
  step::on_termination([&server] {
    server.stop();
    step::wait_for_another_signal(grace + std::chrono::seconds{2});
  });
  server.run(grace);
}

}  // namespace

void define_options(CLI::App& app, Options& options) {
  app.add_option("--listen", options.listen, "Address and port; port 0: a free one [127.0.0.1:0]")
      ->type_name("ADDRESS:PORT");
  app.add_option_function<std::string>(
         "--database", [&options](const std::string& text) { options.database = text; },
         "SQLite file, made where it is missing; the UTID secrets stand beside it in FILE.secrets.json")
      ->required()
      ->type_name("FILE");
  app.add_option("--api-key-file", options.api_key_file, "File with the X-API-Key that callers must send [none]")
      ->type_name("FILE");
  app.add_option("--rate", options.rate, "Requests per second and client address; twice as many at once [500]")
      ->type_name("N")
      ->check(step::decimal_number(1, 1e6));
}

const step::Manual& manual() {
  static const step::Manual text{
      {}, "capsule-proof-service --database proofs.db --listen 127.0.0.1:8600", {10, 12, 13, 40, 42}};
  return text;
}

void run(const Options& options) {
  auto api_key = read_api_key(options.api_key_file);
  std::optional<Store> store;
  std::optional<Service> service;
  serve::Limits limits;
  limits.body_bytes = max_body_bytes;
  limits.takes_large = takes_evidence;
  limits.rate = {options.rate, 2 * options.rate};
  serve::Server server{serve::Listen::parse(options.listen), limits,
                       [&](const serve::Request& request) { return service->answer(request); }};
  // Nobody is answered before run(); where the address cannot be had, nothing is made.
  make_folder_of(options.database);
  store.emplace(options.database);
  auto secrets_file = options.database;
  secrets_file += ".secrets.json";
  service.emplace(*store, load_utid_secrets(secrets_file), std::move(api_key));
  // Whoever started us waits for this line.
  fmt::print("{}\n", json::compact(json::Object{{"url", server.url()}}));
  std::fflush(stdout);
  serve_until_signal(server);
}

}  // namespace proof_service
