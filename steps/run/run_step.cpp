#include "run_step.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "fs/temporary.hpp"
#include "json/cursor.hpp"
#include "watchers.hpp"
#include "workflow/runner.hpp"
#include "workflow/substitution.hpp"
#include "yaml/parse.hpp"

namespace run_step {

using namespace capsule;

namespace {

void add_parameter(std::map<std::string, std::string>& parameters, const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw Error{ErrorKind::usage, fmt::format("-p wants name=value, this is '{}'", printable(text))};
  auto value = text.substr(equals + 1);
  if (value.starts_with('@')) {
    value = workflow::read_named_file(value.substr(1));
    if (value.ends_with('\n')) value.pop_back();
  }
  if (!utf8::is_valid(value) || value.find('\0') != std::string::npos)
    throw Error{ErrorKind::usage,
                fmt::format("the value of '{}' is no text (UTF-8)", printable(text.substr(0, equals)))};
  parameters.insert_or_assign(text.substr(0, equals), std::move(value));
}

std::map<std::string, std::string> texts_in(const json::Cursor& object) {
  std::map<std::string, std::string> out;
  for (const auto& [name, value] : object.members())
    out.insert_or_assign(name, workflow::parameter_text(value.value()));
  return out;
}

std::map<std::string, std::map<std::string, std::string>> read_config_maps(const std::string& file) {
  std::map<std::string, std::map<std::string, std::string>> out;
  if (file.empty()) return out;
  for (const auto& document : yaml::parse_all(workflow::read_named_file(file), file)) {
    const json::Cursor top{document, file, ErrorKind::usage};
    if (top.at("kind").string() != "ConfigMap") top.at("kind").fail("a ConfigMap is wanted");
    out.insert_or_assign(top.at("metadata").at("name").string(), texts_in(top.at("data")));
  }
  return out;
}

workflow::RunRequest request_of(const Options& options) {
  workflow::RunRequest request;
  if (!options.parameter_file.empty()) {
    const auto document = yaml::parse(workflow::read_named_file(options.parameter_file), options.parameter_file);
    request.parameters = texts_in(json::Cursor{document, options.parameter_file, ErrorKind::usage});
  }
  for (const auto& text : options.parameters) add_parameter(request.parameters, text);
  request.config_maps = read_config_maps(options.config);
  request.state_folder =
      std::filesystem::absolute(options.state.empty() ? step::default_state_folder() : options.state);
  std::error_code is_gone;  // then no relative path leads anywhere
  request.working_folder = std::filesystem::current_path(is_gone);
  if (options.fresh) request.nonce = fs::random_name();
  request.resume = options.resume ? workflow::Resume::yes : workflow::Resume::no;
  return request;
}

/// The step programs lie beside this one.
fs::Path own_folder() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path();
}

/// Ours are the steps' own business: a template says what each sees.
std::vector<std::string> further_variables(const Options& options) {
  for (const auto& name : options.passed_on) {
    const bool is_name = !name.empty() && std::all_of(name.begin(), name.end(),
                                                      [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
    if (!is_name || name.starts_with("CAPSULE_"))
      throw Error{
          ErrorKind::usage,
          fmt::format("--pass-env wants names of variables that are not CAPSULE_…, this is '{}'", printable(name))};
  }
  return options.passed_on;
}

/// Those of --templates, else of the file's own tree, else those that were installed with this program.
fs::Path templates_for(const Options& options) {
  if (!options.templates.empty()) return options.templates;
  const auto beside_file = fs::Path{options.file}.parent_path() / ".." / "templates";
  const auto installed = own_folder().parent_path() / "share/capsule-loop/workflows/templates";
  std::error_code ignored;
  return std::filesystem::is_directory(beside_file, ignored) || !std::filesystem::is_directory(installed, ignored)
             ? beside_file
             : installed;
}

/// A failed step's exit code becomes ours where it is one of the table's.
ErrorKind kind_of(int exit_code) {
  for (const auto kind : {ErrorKind::usage, ErrorKind::invalid_input, ErrorKind::verification_failed,
                          ErrorKind::not_found, ErrorKind::denied, ErrorKind::conflict, ErrorKind::unmet_requirement,
                          ErrorKind::capsule_failed, ErrorKind::unavailable, ErrorKind::timed_out, ErrorKind::busy}) {
    if (capsule::exit_code(kind) == exit_code) return kind;
  }
  return exit_code == 143   ? ErrorKind::timed_out
         : exit_code >= 128 ? ErrorKind::unavailable
                            : ErrorKind::capsule_failed;
}

/// The way on that is true: what steps have read is kept with --resume, so a failure that came of it would come again.
std::string_view advice_on(ErrorKind kind, const Options& options) {
  if (options.fresh) return "";  // nobody can begin that run again
  if (retry_helps(kind) || kind == ErrorKind::denied)
    return "; when that is mended, the same command with --resume goes on from there";
  return "; mend the command or what it reads, and run it without --resume, which would keep what has been read "
         "already";
}

std::string failure_text(const Options& options, const workflow::RunResult& result) {
  const auto code = fmt::format("exit code {}", result.outcome.exit_code);
  const auto& message = result.outcome.message;
  return fmt::format("{} failed{}{}{}", result.failed_node.empty() ? "the workflow" : result.failed_node,
                     result.outcome.exit_code == 0 ? "" : " with " + code,
                     message == code ? ", and said nothing on stderr" : ": " + message,
                     advice_on(kind_of(result.outcome.exit_code), options));
}

}  // namespace

void define_options(CLI::App& app, Options& options) {
  app.add_option("file", options.file, "Workflow or WorkflowTemplate to run (YAML)")->type_name("FILE");
  app.add_option("-p,--parameter", options.parameters,
                 "One argument of the workflow; repeatable; name=@FILE reads the value from a file")
      ->type_name("NAME=VALUE");
  app.add_option("--parameter-file", options.parameter_file, "YAML file of arguments, name: value; -p wins")
      ->type_name("FILE");
  app.add_option("--config", options.config,
                 "File with the ConfigMaps that arguments refer to (valueFrom.configMapKeyRef)")
      ->type_name("FILE");
  app.add_option(
         "--templates", options.templates,
         "Folder with the WorkflowTemplates, <name>.yaml each [<FILE>/../../templates, else those that are installed]")
      ->type_name("DIR");
  app.add_option("--pass-env", options.passed_on,
                 "Further variables of your environment that steps see, such as those of a kubeconfig's credential "
                 "plug-in; a comma between them")
      ->type_name("NAME,…")
      ->delimiter(',');
  auto* resume = app.add_flag(
      "--resume", options.resume,
      "Go on after a failure that passes or a kill: steps that succeeded with the same inputs are not run again");
  app.add_flag("--new", options.fresh,
               "A run of its own, although files, arguments and working folder are those of an earlier one")
      ->excludes(resume);
  step::add_state_option(app, options.state);
  define_explain(app, options.explanation);
  app.require_subcommand(0, 1);
}

const step::Manual& manual() {
  static const step::Manual instance{
      {{"run-id",
        "identity of the run: digest of the files, the arguments and the working folder, 16 hexadecimal digits"},
       {"phase", "Succeeded, or Failed"},
       {"step", "explain: the step that failed; empty: none did"},
       {"step-exit-code", "explain: its exit code; empty where no container ended"},
       {"reason", "explain: its last words"}},
      "capsule-run workflows/loops/capsule-build.yaml -p source=tests/capsules/m2n2-metal -p publish=false",
      {10, 11, 12, 13, 14, 15, 16, 40, 41, 42},
      {{"explain", "capsule-run explain --status Failed --failures @failures.json"}}};
  return instance;
}

void run(const Options& options, step::Context& step) {
  if (options.file.empty()) throw Error{ErrorKind::usage, "file is required: a Workflow or WorkflowTemplate to run"};
  const auto library = workflow::load_library(options.file, templates_for(options).lexically_normal());
  const auto request = request_of(options);
  workflow::ProcessExecutor executor{own_folder(), further_variables(options)};
  const auto watcher = make_watcher();
  const auto result = workflow::run_workflow(library, request, executor, *watcher);
  step.output("run-id", result.run_id);
  step.output("phase", name_of(result.outcome.phase));
  for (const auto& [name, value] : result.outcome.outputs) step.forwarded_output(name, value);
  if (!result.outcome.good()) throw Error{kind_of(result.outcome.exit_code), failure_text(options, result)};
}

}  // namespace run_step
