#include "download_step.hpp"

#include <algorithm>
#include <limits>

#include "http/curl_client.hpp"
#include "index/uri.hpp"
#include "step/passphrase.hpp"
#include "step/values.hpp"

namespace download {

using namespace capsule;

namespace {

constexpr step::Choices<HandOver, 2> hand_overs{{{"store", HandOver::store}, {"registry", HandOver::registry}}};

http::CurlLimits limits_from(std::chrono::milliseconds patience) {
  http::CurlLimits limits;
  const auto time = std::chrono::ceil<std::chrono::seconds>(patience);
  limits.stall_time = std::max(time, std::chrono::seconds{1});
  limits.connect = std::min<std::chrono::milliseconds>(limits.connect, limits.stall_time);
  return limits;
}

}  // namespace

void define_options(CLI::App& app, Options& options) {
  app.add_option("source", options.source,
                 "Path of a package (a link is followed), https:// URL (http:// on loopback only), "
                 "oci://HOST/BASE/NAME:TAG, oci-layout:DIR/NAME:TAG or …@sha256:…, or capsule:// URI")
      ->required()
      ->type_name("SOURCE");
  app.add_option("--store", options.store, "Working store [STATE/store]")->type_name("DIR");
  app.add_option("--digest", options.digest,
                 "Package digest that it must have; one that is in the store is not fetched")
      ->type_name("sha256:HEX");
  app.add_option(
         "--registry", options.registry,
         "Registry whose index resolves a capsule:// URI that names none; with --hand-over=registry also where what "
         "is in none is put, without a tag")
      ->type_name("REGISTRY");
  step::add_choice(
      app, "--hand-over", options.hand_over, hand_overs,
      "How the next steps get it: in the store, or, where they run elsewhere, in the registry that it is in, "
      "else in that of --registry");
  app.add_option("--trust", options.trust,
                 "Trust policy: whose index of a capsule:// URI, and which further signers of a package")
      ->type_name("FILE");
  app.add_option("--key", options.key,
                 "Public key (PEM, or pkcs11: on a token) for that index, instead of a trust policy")
      ->type_name("PUB")
      ->excludes("--trust");
  step::add_pkcs11_module_option(app, options.pkcs11_module);
  app.add_option("--max-bytes", options.max_bytes, "Largest package that is accepted, in bytes [64 GiB]")
      ->type_name("N")
      ->check(step::whole_number(1, std::numeric_limits<std::int64_t>::max()));
  step::add_duration(app, "--timeout", options.patience,
                     "Longest silence of a server before the transfer is tried again [30s]");
  step::add_registry_options(app, options.registries);
  step::add_state_option(app, options.state);
}

const step::Manual& manual() {
  static const step::Manual text{
      {{"capsule",
        "how the next steps name it: sha256:<hex> of the package, or with --hand-over=registry its reference"},
       {"package-digest", "the same digest"},
       {"path", "where the package is in the store; empty with --hand-over=registry"},
       {"index-head",
        "of a capsule:// URI, the signed head of the index that it was looked up in: for deploy, whose --index-head "
        "holds it against what the cluster has seen; else empty"}},
      "capsule-download https://capsules.example/capsule_m2n2-metal-0.1.0.tar.gz --digest sha256:9f86…",
      {10, 11, 12, 13, 40, 41, 42}};
  return text;
}

void run(const Options& given, step::Context& step) {
  auto options = given;
  const bool needs_state =
      options.store.empty() || options.hand_over == HandOver::registry || index::CapsuleUri::looks_like(options.source);
  if (options.state.empty() && needs_state) options.state = step::default_state_folder();
  http::CurlClient client{limits_from(options.patience)};
  const auto result = fetch(options, {client, step.progress()});
  step.output("capsule", result.reference ? result.reference->text() : result.digest.text());
  step.output("package-digest", result.digest.text());
  step.output("path", result.path.string());
  step.output("index-head", result.index_head ? result.index_head->text() : "");
  step.result("already_there", result.already_there);
  step.result("bytes_written", result.bytes_written);
}

}  // namespace download
