#include "options.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "index/uri.hpp"
#include "step/values.hpp"

namespace verify_step {

using namespace capsule;

namespace {

void add_proof_options(CLI::App& app, Options& options) {
  app.add_option("--registry", options.registry,
                 "Registry to look in, oci://HOST[:PORT]/BASE or oci-layout:DIR, for a capsule:// URI without one")
      ->type_name("REGISTRY");
  app.add_option("--proof", options.proof,
                 "Also check this proof bundle: a file, or its sha256:… beside a published capsule")
      ->type_name("BUNDLE");
  app.add_option("--run-record", options.run_record, "With --proof: file of the run that it is about [the registry's]")
      ->type_name("FILE");
  app.add_flag("--replay", options.replay,
               "With a proof: run the capsule once more, confined, with the recorded parameters and seed, and compare");
  step::add_duration(app, "--timeout", options.timeout,
                     "With --replay: time limit of install.sh, of healthcheck.sh and of the run: each")
      ->capture_default_str();
}

}  // namespace

void define_options(CLI::App& app, Options& options) {
  app.add_option("capsule", options.capsule,
                 "A package file, sha256:<package digest> in the store, oci://HOST/BASE/<name>:<version>, "
                 "oci-layout:DIR/<name>:<version>, or "
                 "capsule://<name>:<version>[?proof=true]")
      ->required()
      ->type_name("CAPSULE");
  step::add_signer_options(app, options.signers);
  app.add_option("--store", options.store, "Working store [STATE/store]")->type_name("DIR");
  app.add_option("--target", options.target, "Also hold what the capsule needs (GPU, UTID, …) against this machine")
      ->type_name("this-machine");
  app.add_option("--allow-unmet", options.allow_unmet,
                 "With --target: a requirement to go without; repeatable, or separated by commas")
      ->delimiter(',')
      ->type_name("REQUIREMENT");
  app.add_option_function<std::string>(
         "--host-identity", [&options](const std::string& text) { options.host_identity = text; },
         "With --target: this machine's UTID and the certificate that binds it [STATE/host-identity.json]")
      ->type_name("FILE");
  app.add_option("--unpack", options.unpack, "Also unpack, while it is verified, to DIR/<capsule digest>")
      ->type_name("DIR");
  add_proof_options(app, options);
  step::add_registry_options(app, options.registries);
  step::add_state_option(app, options.state);
}

const step::Manual& manual() {
  static const step::Manual text{
      .outputs = {{"capsule-digest", "SHA-256 of checksum.sha256: what the capsule is, whoever signed it"},
                  {"package-digest", "SHA-256 of the package file"},
                  {"name", "the capsule's name"},
                  {"version", "the capsule's version"},
                  {"key-id", "the key that signed: base64 SHA-256 of its DER"},
                  {"unpacked", "with --unpack: the folder, DIR/<64 hex of the capsule digest>"},
                  {"unmet",
                   "with --target: requirements that it lacks, separated by commas; also when that is exit 15"},
                  {"waived", "with --target: those of them that --allow-unmet names"}},
      .example =
          "capsule-verify 'capsule://m2n2-metal:0.1.0?proof=true' --registry oci-layout:/srv/capsules "
          "--trust trust.yaml",
      .exit_codes = {10, 11, 12, 13, 15, 16, 40, 41}};
  return text;
}

void check_options(const Options& options) {
  const auto refuse = [](std::string_view reason) { throw Error{ErrorKind::usage, std::string{reason}}; };
  const bool is_uri = index::CapsuleUri::looks_like(options.capsule);
  const bool asks_for_proof =
      is_uri && index::CapsuleUri::parse(options.capsule).proof == index::CapsuleUri::Proof::required;
  if (!options.target.empty() && options.target != "this-machine")
    refuse(fmt::format("--target {}: only this-machine is there yet", printable(options.target)));
  if (asks_for_proof && !options.proof.empty())
    refuse("?proof=true checks the proof that the index names: leave it out to check that of --proof");
  if (!is_uri && !options.registry.empty()) refuse("--registry is where a capsule:// URI is looked up: give one");
  if (options.proof.empty() && !options.run_record.empty())
    refuse("--run-record belongs to a bundle: give --proof too");
  if (options.proof.starts_with("sha256:") && !options.run_record.empty())
    refuse("--run-record is for a bundle in a file: a published bundle's run record is beside it");
  if (options.replay && options.proof.empty() && !asks_for_proof)
    refuse("--replay repeats the run that a proof is about: give capsule://…?proof=true, or --proof");
}

}  // namespace verify_step
