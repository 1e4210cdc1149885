#include "relay_step.hpp"

#include <fmt/format.h>

#include "api_key.hpp"
#include "core/error.hpp"
#include "http/curl_client.hpp"
#include "http/retry.hpp"
#include "insecure_service.hpp"
#include "json/write.hpp"
#include "proof/bundle.hpp"
#include "relay.hpp"

namespace generate_proof {

using namespace capsule;

namespace {

serve::Response status_of(const Relay& relay, const serve::Request& request) {
  if (request.method != "GET") return serve::refusal(405, "Method not allowed");
  if (request.target.path == "/readyz") return {200, json::compact(json::Object{{"status", "ok"}})};
  if (request.target.path != "/failure") return serve::refusal(404, "Not found");
  json::Value said;
  if (const auto failure = relay.failure())
    said = json::Object{{"kind", name_of(failure->kind())}, {"message", failure->message()}};
  return {200, json::compact(json::Object{{"failure", std::move(said)}})};
}

void serve_both(const RelayOptions& options, const Behind& behind) {
  const auto hash = as_usage("--proof-hash", [&] { return Digest::parse(options.proof_hash); });
  const Relay relay{behind, hash, options.utid, serve::Listen::parse(options.listen)};
  serve::Server status{serve::Listen::parse(options.status), {}, [&](const serve::Request& request) {
                         return status_of(relay, request);
                       }};
  status.run();
}

}  // namespace

void define_relay(CLI::App& app, RelayOptions& options) {
  app.add_option("--listen", options.listen, "Where the hook finds the relay: an address of loopback")
      ->required()
      ->type_name("ADDRESS:PORT");
  app.add_option("--status", options.status, "Where others ask how the relay fares")
      ->required()
      ->type_name("ADDRESS:PORT");
  app.add_option("--proof-service", options.proof_service, "The proof service behind it")->type_name("URL");
  app.add_option("--proof-api-key-file", options.api_key_file, "File with the X-API-Key of that service")
      ->type_name("FILE");
  add_insecure_services_option(app, options.insecure_services);
  app.add_option("--proof-hash", options.proof_hash, "The only hash for which a proof may be asked")
      ->required()
      ->type_name("DIGEST");
  app.add_option("--utid", options.utid, "The only UTID under which it may be asked")->required()->type_name("UTID");
  app.add_option("--proof-id", options.proof_id, "The proof that was made already: it is given again")->type_name("ID");
}

void run_relay(const RelayOptions& options) {
  if (options.proof_service.empty() && options.proof_id.empty())
    throw Error{ErrorKind::usage, "give --proof-service URL, or --proof-id ID, or both"};
  if (!proof::is_utid(options.utid))
    throw Error{ErrorKind::usage, fmt::format("--utid: '{}' is no UTID", printable(options.utid, 64))};
  std::optional<proof::ServiceProof> known;
  if (!options.proof_id.empty()) {
    if (!proof::is_proof_id(options.proof_id))
      throw Error{ErrorKind::usage, fmt::format("--proof-id: '{}' is none", printable(options.proof_id, 64))};
    known = proof::ServiceProof{options.proof_id, "queued", options.proof_hash, options.utid};
  }
  if (options.proof_service.empty()) return serve_both(options, {.known = std::move(known)});
  const auto url = Url::parse(options.proof_service);
  http::CurlClient curl{{.plain_http = insecure_services(options.insecure_services, url)}};
  http::RetryingClient client{curl};
  proof::ProofService service{client, url, read_api_key(options.api_key_file)};
  service.use_utid(options.utid);
  serve_both(options, {.service = &service, .known = std::move(known)});
}

}  // namespace generate_proof
