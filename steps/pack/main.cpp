#include "pack_step.hpp"

int main(int argc, char** argv) {
  CLI::App cli{"Make the package of a capsule folder: the same content gives the same bytes on every machine.",
               "capsule-pack"};
  pack_step::Options options;
  pack_step::define_options(cli, options);
  return capsule::step::run(cli, pack_step::manual(), argc, argv,
                            [&](capsule::step::Context& step) { pack_step::run(options, step); });
}
