#include "agent_step.hpp"
#include "process/process.hpp"
#include "step/signals.hpp"

int main(int argc, char** argv) {
  CLI::App app{"Keep processes of one unpacked capsule that have loaded everything and wait, and give each to one run.",
               "capsule-agent"};
  agent::Options options;
  agent::define_options(app, options);
  capsule::step::on_termination(capsule::process::kill_all);
  // It is meant to be ended so, and the last line of its log is why its health was lost.
  capsule::step::words_on_termination("");
  return capsule::step::run(app, agent::manual(), argc, argv, [&](capsule::step::Context& step) {
    if (app.got_subcommand("install"))
      agent::install(options, step);
    else
      agent::run(options);
  });
}
