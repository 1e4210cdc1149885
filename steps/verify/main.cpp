#include "verify_step.hpp"

int main(int argc, char** argv) {
  CLI::App cli{"Verify a capsule: signature, checksums and manifest; its place in the index; its proof.",
               "capsule-verify"};
  verify_step::Options options;
  verify_step::define_options(cli, options);
  return capsule::step::run(cli, verify_step::manual(), argc, argv,
                            [&](capsule::step::Context& step) { verify_step::run(options, step); });
}
