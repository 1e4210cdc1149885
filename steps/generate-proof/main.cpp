#include "generate_proof_step.hpp"

int main(int argc, char** argv) {
  CLI::App app{"Prove a run: run the capsule's proof hook, check what it found, sign the proof bundle.",
               "capsule-generate-proof"};
  generate_proof::Options options;
  generate_proof::define_options(app, options);
  return capsule::step::run(app, generate_proof::manual(), argc, argv, [&](capsule::step::Context& step) {
    if (app.got_subcommand("relay"))
      generate_proof::run_relay(options.relay);
    else
      generate_proof::run(options, step);
  });
}
