#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <future>
#include <thread>

#include "core/error.hpp"
#include "json/write.hpp"
#include "serve/server.hpp"
#include "service.hpp"
#include "step/run.hpp"

namespace {

struct Options {
  std::string listen = "127.0.0.1:0";
  capsule::fs::Path database;
  std::string api_key_file;
  double rate = 500;
};

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
      ->check(CLI::Range(1.0, 1e6));
}

capsule::Secret read_api_key(const std::string& file) {
  if (file.empty()) return {};
  auto text = capsule::fs::read_file(file, 4096);
  text.erase(text.find_last_not_of("\r\n") + 1);
  if (text.empty()) throw capsule::Error{capsule::ErrorKind::usage, "the file of --api-key-file is empty"};
  return capsule::Secret{std::move(text)};
}

void make_folder_of(const capsule::fs::Path& file) {
  std::error_code error;
  if (file.has_parent_path()) std::filesystem::create_directories(file.parent_path(), error);
  if (error) capsule::fs::throw_errno("create the folder", file.parent_path(), error.value());
}

/// Returns never: the signal that stops the server also ends the process, once what was asked is answered.
[[noreturn]] void serve_until_signal(capsule::serve::Server& server) {
  std::promise<void> promise;
  const auto stopped = promise.get_future().share();
  capsule::step::on_termination([&server, stopped] {
    server.stop();
    static_cast<void>(stopped.wait_for(std::chrono::milliseconds{700}));
  });
  server.run(std::chrono::milliseconds{500});
  promise.set_value();
  while (true) std::this_thread::sleep_for(std::chrono::hours{1});
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Serve the platform's proof API: keep proofs, and check the evidence that is given for them.",
               "capsule-proof-service"};
  Options options;
  define_options(app, options);
  const capsule::step::Manual manual{
      {}, "capsule-proof-service --database proofs.db --listen 127.0.0.1:8600", {10, 13, 40, 42}};
  return capsule::step::run(app, manual, argc, argv, [&](capsule::step::Context&) {
    namespace serve = capsule::serve;
    make_folder_of(options.database);
    proof_service::Store store{options.database};
    auto secrets_file = options.database;
    secrets_file += ".secrets.json";
    proof_service::Service service{store, proof_service::load_utid_secrets(secrets_file),
                                   read_api_key(options.api_key_file)};
    serve::Limits limits;
    limits.body_bytes = proof_service::max_body_bytes;
    limits.rate = {options.rate, 2 * options.rate};
    serve::Server server{serve::Listen::parse(options.listen), limits,
                         [&](const serve::Request& request) { return service.answer(request); }};
    // Whoever started us waits for this line.
    fmt::print("{}\n", capsule::json::compact(capsule::json::Object{{"url", server.url()}}));
    std::fflush(stdout);
    serve_until_signal(server);
  });
}
