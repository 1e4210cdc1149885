#include "options.hpp"
#include "step/run.hpp"

int main(int argc, char** argv) {
  sign::Options options;
  CLI::App app{"Sign a capsule package with a PEM key, and say so in Sigstore bundles beside it.", "capsule-sign"};
  const auto* keygen = sign::define_options(app, options);

  return capsule::step::run(app, sign::manual(), argc, argv, [&](capsule::step::Context& step) {
    if (keygen->parsed()) return sign::run_keygen(options.keygen, step);
    sign::run_sign(options, step);
  });
}
