#include "anchor_step.hpp"

int main(int argc, char** argv) {
  CLI::App cli{
      "Anchor a proof bundle: have a transparency log (or a chain) hold its digest, and attach the receipt to the "
      "capsule.",
      "capsule-anchor"};
  anchor_step::Options options;
  anchor_step::define_options(cli, options);
  return capsule::step::run(cli, anchor_step::manual(), argc, argv,
                            [&](capsule::step::Context& step) { anchor_step::run(options, step); });
}
