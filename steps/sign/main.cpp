#include "options.hpp"
#include "step/run.hpp"

int main(int argc, char** argv) {
  sign::Options options;
  CLI::App app{"Sign a capsule package with a PEM key, and say so in Sigstore bundles beside it.", "capsule-sign"};
  sign::define_options(app, options);
  app.require_subcommand(1);

  return capsule::step::run(app, sign::manual(), argc, argv,
                            [&](capsule::step::Context& step) { sign::run_keygen(options.keygen, step); });
}
