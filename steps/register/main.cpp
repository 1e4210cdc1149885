#include "register_step.hpp"

int main(int argc, char** argv) {
  CLI::App cli{"Put a proved capsule into the signed index of its name, and resolve capsule:// URIs through it.",
               "capsule-register"};
  register_step::Options options;
  register_step::define_options(cli, options);
  return capsule::step::run(cli, register_step::manual(), argc, argv, [&](capsule::step::Context& step) {
    if (cli.got_subcommand("resolve"))
      register_step::resolve(options, step);
    else if (cli.got_subcommand("list"))
      register_step::list(options, step);
    else
      register_step::register_capsule(options, step);
  });
}
