#include "push_images_command.hpp"

int main(int argc, char** argv) {
  CLI::App cli{"Push the images of an OCI image layout to a registry, one repository each; nothing twice.",
               "capsule-push-images"};
  push_images::Options options;
  push_images::define_options(cli, options);
  return capsule::step::run(cli, push_images::manual(), argc, argv,
                            [&](capsule::step::Context& step) { push_images::run(options, step); });
}
