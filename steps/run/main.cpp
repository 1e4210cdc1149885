#include "process/process.hpp"
#include "run_step.hpp"
#include "step/signals.hpp"

int main(int argc, char** argv) {
  CLI::App cli{
      "Run a workflow file on this machine, without a cluster: each step as a process, as Argo runs it as a pod.",
      "capsule-run"};
  run_step::Options options;
  run_step::define_options(cli, options);
  capsule::step::on_termination(capsule::process::kill_all);
  capsule::step::words_on_termination("the steps that ran are ended too, --resume goes on after what is done");
  return capsule::step::run(cli, run_step::manual(), argc, argv, [&](capsule::step::Context& step) {
    if (cli.got_subcommand("explain")) return run_step::explain(options.explanation, step);
    run_step::run(options, step);
  });
}
