#include "deploy_step.hpp"
#include "process/process.hpp"

int main(int argc, char** argv) {
  CLI::App cli{
      "Deploy a published capsule: check what it needs, install it, ask its health, run it once, and attach the run "
      "record.",
      "capsule-deploy"};
  deploy_step::Options options;
  deploy_step::define_options(cli, options);
  capsule::step::on_termination(capsule::process::kill_all);
  return capsule::step::run(cli, deploy_step::manual(), argc, argv, [&](capsule::step::Context& step) {
    if (cli.got_subcommand("delete"))
      deploy_step::remove(options, step);
    else
      deploy_step::run(options, step);
  });
}
