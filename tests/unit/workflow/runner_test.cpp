#include "workflow/runner.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <mutex>
#include <thread>

#include "core/error.hpp"
#include "fs/atomic_file.hpp"
#include "fs/temporary.hpp"
#include "json/parse.hpp"
#include "support/error_kind.hpp"

using namespace capsule;
using namespace capsule::workflow;

namespace {

struct Quiet final : Watcher {
  void changed(const NodeEvent& event) override {
    events.push_back(event.node + ":" + std::string{name_of(event.phase)});
  }
  void line(const std::string&, std::string_view) override {}
  std::vector<std::string> events;
};

/// Does what the program's name says: "capsule-ok", "capsule-fail-<code>", "capsule-flaky" (fails with 40 twice),
/// "capsule-echo" (its first argument becomes the output `out`).
struct FakeExecutor final : Executor {
  StepResult execute(const StepCommand& command, const std::function<void(std::string_view)>&) override {
    std::string line = command.program;
    for (const auto& argument : command.arguments) line += " " + argument;
    const int now_running = ++running;
    {
      const std::lock_guard lock{mutex};
      commands.push_back(line);
      environments.push_back(command.environment);
      most_running = std::max(most_running, now_running);
    }
    if (command.program == "capsule-slow") std::this_thread::sleep_for(std::chrono::milliseconds{50});
    --running;
    if (command.program == "capsule-no-process" && ++tries < 3) throw Error{ErrorKind::unavailable, "fork: no process"};
    if (command.program == "capsule-flaky") return {++tries < 3 ? 40 : 0, false, "not yet"};
    if (command.program.starts_with("capsule-fail-")) return {std::stoi(command.program.substr(13)), false, "it broke"};
    if (command.program == "capsule-echo")
      fs::write_file(fs::Path{command.arguments.at(1)} / "out", command.arguments.at(0));
    return {};
  }
  std::mutex mutex;
  std::atomic<int> running = 0;
  int most_running = 0;
  int tries = 0;
  std::vector<std::string> commands;
  std::vector<std::map<std::string, std::string>> environments;
};

struct Fixture {
  fs::TemporaryFolder folder{fs::temporary_parent()};
  FakeExecutor executor;
  Quiet watcher;
  RunRequest request;

  RunResult run(const std::string& yaml, const std::map<std::string, std::string>& referred = {}) {
    std::filesystem::create_directories(folder.path() / "templates");
    fs::write_file(folder.path() / "w.yaml", yaml);
    for (const auto& [name, text] : referred) fs::write_file(folder.path() / "templates" / (name + ".yaml"), text);
    request.state_folder = folder.path() / "state";
    return run_workflow(load_library(folder.path() / "w.yaml", folder.path() / "templates"), request, executor,
                        watcher);
  }
};

std::string workflow_with(const std::string& spec) {
  return "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: t-}\nspec:\n  entrypoint: main\n" +
         spec;
}

std::string leaf(const std::string& name, const std::string& program, const std::string& more = "") {
  return "  - name: " + name + "\n    container: {image: x, command: [/bin/" + program + "], args: [a]}\n" + more;
}

const std::string echo_leaf = R"(  - name: echo
    inputs: {parameters: [{name: text}]}
    container: {image: x, command: [/usr/bin/capsule-echo], args: ["{{inputs.parameters.text}}", /work/outputs], volumeMounts: [{name: work, mountPath: /work}], env: [{name: TMPDIR, value: /work}, {name: CAPSULE_STATE, value: /work/state}]}
    volumes: [{name: work, emptyDir: {}}]
    outputs: {parameters: [{name: out, valueFrom: {path: /work/outputs/out}}]}
)";

}  // namespace

TEST_CASE("steps run in order, outputs flow, parameters stay one argument") {
  Fixture f;
  f.request.parameters = {{"word", "two words; rm -rf / {{x}} $(id)"}};
  const auto result = f.run(workflow_with(R"(  arguments: {parameters: [{name: word, value: unused}]}
  templates:
  - name: main
    inputs: {parameters: [{name: word}]}
    steps:
    - - {name: one, template: echo, arguments: {parameters: [{name: text, value: "{{inputs.parameters.word}}"}]}}
    - - {name: two, template: echo, arguments: {parameters: [{name: text, value: "<{{steps.one.outputs.parameters.out}}>"}]}}
    outputs: {parameters: [{name: result, valueFrom: {parameter: "{{steps.two.outputs.parameters.out}}"}}]}
)" + echo_leaf));
  CHECK(result.outcome.phase == Phase::succeeded);
  CHECK(result.outcome.outputs.at("result") == "<two words; rm -rf / {{x}} $(id)>");
  CHECK(f.executor.environments.front().at("CAPSULE_STATE") == (f.folder.path() / "state").string());
  CHECK(f.executor.environments.front().at("TMPDIR").ends_with("/volumes/work"));
  CHECK(f.watcher.events.front() == "one:Pending");
}

TEST_CASE("a variable that names a place in a Secret or ConfigMap of this machine is set only where that is there") {
  Fixture f;
  const auto state = f.folder.path() / "state";
  std::filesystem::create_directories(state / "secrets/login");
  CHECK(f.run(workflow_with(R"(  templates:
  - name: main
    container:
      image: x
      command: [/bin/capsule-ok]
      volumeMounts: [{name: a, mountPath: /login}, {name: b, mountPath: /absent}, {name: c, mountPath: /map}, {name: work, mountPath: /work}]
      env: [{name: A, value: /login/x}, {name: B, value: /absent/x}, {name: C, value: /map}, {name: D, value: /absentee}, {name: E, value: /work/x}]
    volumes: [{name: a, secret: {secretName: login, optional: true}}, {name: b, secret: {secretName: absent, optional: true}}, {name: c, configMap: {name: map, optional: true}}, {name: work, emptyDir: {}}]
)"))
            .outcome.good());
  auto set = f.executor.environments.front();
  CHECK(set.at("A") == (state / "secrets/login/x").string());
  CHECK(set.count("B") + set.count("C") == 0);
  CHECK(set.at("D") == "/absentee");
  CHECK(set.count("E") == 1);
}

TEST_CASE("a failure stops the steps after it, and keeps its code and message") {
  Fixture f;
  const auto result = f.run(workflow_with(
      "  templates:\n  - name: main\n    steps: [[{name: a, template: bad}], [{name: b, template: good}]]\n" +
      leaf("bad", "capsule-fail-11") + leaf("good", "capsule-ok")));
  CHECK(result.outcome.phase == Phase::failed);
  CHECK(result.outcome.exit_code == 11);
  CHECK(result.failed_node == "a");
  CHECK(f.executor.commands.size() == 1);
}

TEST_CASE("retries follow the expression and the limit") {
  const std::string retry =
      "    retryStrategy: {limit: \"4\", expression: 'asInt(lastRetry.exitCode) >= 40', backoff: {duration: 1ms, "
      "factor: \"2\"}}\n";
  Fixture f;
  CHECK(f.run(workflow_with("  templates:\n  - name: main\n    steps: [[{name: a, template: flaky}]]\n" +
                            leaf("flaky", "capsule-flaky", retry)))
            .outcome.good());
  CHECK(f.executor.commands.size() == 3);
  Fixture g;
  CHECK_FALSE(g.run(workflow_with("  templates:\n  - name: main\n    steps: [[{name: a, template: x}]]\n" +
                                  leaf("x", "capsule-fail-11", retry)))
                  .outcome.good());
  CHECK(g.executor.commands.size() == 1);
  Fixture h;
  CHECK_FALSE(h.run(workflow_with("  templates:\n  - name: main\n    steps: [[{name: a, template: x}]]\n" +
                                  leaf("x", "capsule-fail-41", retry)))
                  .outcome.good());
  CHECK(h.executor.commands.size() == 5);
}

TEST_CASE("a step that cannot be started for now is in Error, and tried again as the policy says") {
  for (const auto& [policy, tries, good] :
       {std::tuple{"Always", 3U, true}, std::tuple{"OnError", 3U, true}, std::tuple{"OnFailure", 1U, false}}) {
    Fixture f;
    const auto result = f.run(workflow_with(
        "  templates:\n  - name: main\n    steps: [[{name: a, template: x}]]\n" +
        leaf("x", "capsule-no-process", std::string{"    retryStrategy: {limit: 3, retryPolicy: "} + policy + "}\n")));
    CHECK(result.outcome.good() == good);
    CHECK(f.executor.commands.size() == tries);
    if (!good) CHECK(result.outcome.exit_code == 40);
  }
}

TEST_CASE("when skips, and a default stands for the missing output") {
  Fixture f;
  const auto result = f.run(workflow_with(R"(  templates:
  - name: main
    steps: [[{name: a, template: echo, when: "no == yes", arguments: {parameters: [{name: text, value: x}]}}]]
    outputs: {parameters: [{name: r, valueFrom: {parameter: "{{steps.a.outputs.parameters.out}}", default: none}}]}
)" + echo_leaf));
  CHECK(result.outcome.good());
  CHECK(result.outcome.outputs.at("r") == "none");
  CHECK(f.executor.commands.empty());
}

TEST_CASE("withItems and withParam run once for each item and collect outputs") {
  Fixture f;
  const auto result = f.run(workflow_with(R"(  templates:
  - name: main
    steps:
    - - {name: a, template: echo, withItems: [x, {k: 1}], arguments: {parameters: [{name: text, value: "i={{item}}"}]}}
    - - {name: b, template: echo, withParam: "{{steps.a.outputs.parameters.out}}", arguments: {parameters: [{name: text, value: "{{item}}!"}]}}
    outputs: {parameters: [{name: r, valueFrom: {parameter: "{{steps.b.outputs.parameters.out}}"}}]}
)" + echo_leaf));
  CHECK(result.outcome.outputs.at("r") == R"(["i=x!","i={\"k\":1}!"])");
}

TEST_CASE("a DAG follows its dependencies, and a handled failure is none") {
  Fixture f;
  const auto result = f.run(workflow_with(R"(  templates:
  - name: main
    dag:
      tasks:
      - {name: a, template: bad}
      - {name: mend, template: good, depends: a.Failed}
      - {name: after, template: good, depends: "mend && !a.Succeeded && never.Omitted"}
      - {name: never, template: good, depends: a.Succeeded}
)" + leaf("bad", "capsule-fail-10") + leaf("good", "capsule-ok")));
  CHECK(result.outcome.good());
  CHECK(f.executor.commands.size() == 3);
  CHECK(std::count(f.watcher.events.begin(), f.watcher.events.end(), "never:Omitted") == 1);
  Fixture g;
  CHECK(kind_of([&] {
          g.run(workflow_with(
              "  templates:\n  - name: main\n    dag: {tasks: [{name: a, template: good, depends: b}, {name: "
              "b, template: good, depends: a}]}\n" +
              leaf("good", "capsule-ok")));
        }) == ErrorKind::usage);
}

TEST_CASE("what is in one group runs at once, within the parallelism") {
  const std::string group =
      "  templates:\n  - name: main\n    steps: [[{name: a, template: s}, {name: b, template: s}, {name: c, template: "
      "s}]]\n" +
      leaf("s", "capsule-slow");
  Fixture f;
  f.run(workflow_with(group));
  CHECK(f.executor.most_running == 3);
  Fixture g;
  g.run(workflow_with("  parallelism: 1\n" + group));
  CHECK(g.executor.most_running == 1);
}

TEST_CASE("the exit hook runs after success and after failure, and knows which") {
  for (const auto& [program, status] :
       std::map<std::string, std::string>{{"capsule-ok", "Succeeded"}, {"capsule-fail-16", "Failed"}}) {
    Fixture f;
    f.run(workflow_with(
              "  hooks: {exit: {templateRef: {name: tell, template: echo}, arguments: {parameters: [{name: text, "
              "value: '{{workflow.status}} {{workflow.failures}}'}]}}}\n"
              "  templates:\n  - name: main\n    steps: [[{name: a, template: x}]]\n" +
              leaf("x", program)),
          {{"tell",
            "apiVersion: argoproj.io/v1alpha1\nkind: WorkflowTemplate\nmetadata: {name: tell}\nspec:\n  templates:\n" +
                echo_leaf}});
    const auto& told = f.executor.commands.back();
    CHECK(told.starts_with("capsule-echo " + status));
    CHECK((told.find(status == "Failed" ? "exit code 16" : "\"null\"") != std::string::npos));
  }
}

TEST_CASE("resume runs only what has not succeeded with the same inputs") {
  Fixture f;
  const std::string yaml = workflow_with(
      "  templates:\n  - name: main\n    steps: [[{name: a, template: good}], [{name: b, template: flaky}]]\n" +
      leaf("good", "capsule-ok") + leaf("flaky", "capsule-flaky"));
  CHECK_FALSE(f.run(yaml).outcome.good());
  f.request.resume = Resume::yes;
  CHECK_FALSE(f.run(yaml).outcome.good());
  CHECK(f.run(yaml).outcome.good());
  CHECK(std::count(f.executor.commands.begin(), f.executor.commands.end(), "capsule-ok a") == 1);
  CHECK(std::count(f.executor.commands.begin(), f.executor.commands.end(), "capsule-flaky a") == 3);
}

TEST_CASE("what is not understood is refused before anything runs") {
  const std::string good =
      "  templates:\n  - name: main\n    steps: [[{name: a, template: good}]]\n" + leaf("good", "capsule-ok");
  for (const std::string& bad :
       {std::string{"  surprise: 1\n"} + good,
        std::string{"  templates:\n  - name: main\n    script: {image: x, source: echo}\n"},
        std::string{"  templates:\n  - name: main\n    steps: [[{name: a, template: missing}]]\n"},
        std::string{
            "  templates:\n  - name: main\n    steps: [[{name: a, templateRef: {name: missing, template: x}}]]\n"},
        std::string{"  templates:\n  - name: main\n    steps: [[{name: a, templateRef: {name: ../x, template: x}}]]\n"},
        std::string{"  templates:\n  - name: main\n    steps: [[{name: a, template: echo}]]\n"} + echo_leaf,
        std::string{"  templates:\n  - name: main\n    steps: [[{name: a, template: echo, arguments: {parameters: "
                    "[{name: text, value: '{{nothing}}'}]}}]]\n"} +
            echo_leaf,
        std::string{"  arguments: {parameters: [{name: needed}]}\n"} + good}) {
    CAPTURE(bad);
    Fixture f;
    CHECK(kind_of([&] { f.run(workflow_with(bad)); }) == ErrorKind::usage);
    CHECK(f.executor.commands.empty());
  }
  Fixture f;
  f.request.parameters = {{"unknown", "x"}};
  CHECK(kind_of([&] { f.run(workflow_with(good)); }) == ErrorKind::usage);
}

TEST_CASE("one run at a time") {
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  const RunState first{folder.path(), "abc"};
  CHECK(kind_of([&] { RunState{folder.path(), "abc"}; }) == ErrorKind::busy);
  CHECK_NOTHROW(RunState{folder.path(), "abd"});
}
