#include "proof_service_step.hpp"

int main(int argc, char** argv) {
  CLI::App app{"Serve the platform's proof API: keep proofs, and check the evidence that is given for them.",
               "capsule-proof-service"};
  proof_service::Options options;
  proof_service::define_options(app, options);
  return capsule::step::run(app, proof_service::manual(), argc, argv,
                            [&](capsule::step::Context&) { proof_service::run(options); });
}
