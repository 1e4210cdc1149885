#include "download_step.hpp"

int main(int argc, char** argv) {
  CLI::App app{"Bring one package into the working store and name it by its digest.", "capsule-download"};
  download::Options options;
  download::define_options(app, options);
  return capsule::step::run(app, download::manual(), argc, argv,
                            [&](capsule::step::Context& step) { download::run(options, step); });
}
