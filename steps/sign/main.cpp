#include "options.hpp"
#include "step/run.hpp"

int main(int argc, char** argv) {
  sign::Options options;
  CLI::App app{"Sign a capsule package with a PEM key or a key on a token, and say so in Sigstore bundles beside it.",
               "capsule-sign"};
  const auto subcommands = sign::define_options(app, options);

  return capsule::step::run(app, sign::manual(), argc, argv, [&](capsule::step::Context& step) {
    if (subcommands.keygen->parsed()) return sign::run_keygen(options.keygen, step);
    if (subcommands.list_keys->parsed()) return sign::run_list_keys(options.list_keys, step);
    sign::run_sign(options, step);
  });
}
