#include "publish_step.hpp"

int main(int argc, char** argv) {
  CLI::App cli{"Publish a verified capsule: its package, its runnable image and its signature; nothing twice.",
               "capsule-publish"};
  publish::Options options;
  publish::define_options(cli, options);
  return capsule::step::run(cli, publish::manual(), argc, argv,
                            [&](capsule::step::Context& step) { publish::run(options, step); });
}
