#include "step/run.hpp"

#include <fmt/format.h>
#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <sstream>
#include <system_error>

#include "core/error.hpp"
#include "json/write.hpp"
#include "log/log.hpp"
#include "log/screen.hpp"
#include "step/arguments.hpp"
#include "step/boundary.hpp"
#include "step/description.hpp"
#include "step/help.hpp"
#include "step/output_folder.hpp"
#include "step/signals.hpp"
#include "step/termination_message.hpp"

namespace capsule::step {

namespace {

constexpr std::string_view no_thread =
    "no further thread is to be had: give the step more memory or processes, then try again";

enum class Format { automatic, json, text };

struct CommonOptions {
  Format output = Format::automatic;
  std::string outputs;
};

void add_common_options(CLI::App& app, CommonOptions& common) {
  app.set_version_flag("--version", std::string{app.get_name()} + " " CAPSULE_VERSION);
  app.add_option_function<std::string>(
         "--output",
         [&common](const std::string& text) { common.output = text == "json" ? Format::json : Format::text; },
         "Form of the result on stdout [json when stdout is no terminal, else text]")
      ->check(CLI::IsMember({"json", "text"}))
      ->type_name("FORM");
  // `capsule-register resolve URI --output text`: common options are good behind a subcommand too.
  for (auto* subcommand : app.get_subcommands([](CLI::App*) { return true; })) subcommand->fallthrough();
  app.add_option("--outputs", common.outputs, "Folder that gets one small file per output, and report.json")
      ->type_name("DIR");
}

int fail(int code, std::string_view message) {
  leave_it_to_the_signal();
  log::close_bar();
  log::error(message);
  write_termination_message(message);
  return code;
}

/// CLI11's "--key excludes --trust" does not say what to do, and it lists what it did not expect backwards.
std::string words_of(const CLI::ParseError& error, const CLI::App& app) {
  std::string words = error.what();
  const bool is_extra = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr;
  // A flag that was mistyped is also one that is missing, and the typing error is what helps.
  const bool is_missing = dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
  if (is_extra || (is_missing && app.remaining_size(true) > 0))
    return fmt::format("not expected: {}", fmt::join(app.remaining(true), " "));
  constexpr std::string_view verb = " excludes ";
  const auto at = words.find(verb);
  if (dynamic_cast<const CLI::ExcludesError*>(&error) == nullptr || at == std::string::npos) return words;
  return words.replace(at, verb.size(), " and ") + " cannot both be given: choose one";
}

/// The standard library's own errors: of files, or of threads that are not to be had.
ErrorKind kind_of(const std::error_code& code) {
  if (code == std::errc::no_such_file_or_directory || code == std::errc::not_a_directory) return ErrorKind::not_found;
  if (code == std::errc::permission_denied || code == std::errc::operation_not_permitted ||
      code == std::errc::read_only_file_system)
    return ErrorKind::denied;
  return ErrorKind::unavailable;
}

void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    throw Error{ErrorKind::unavailable, "cannot write to stdout: is it closed, or the disk full?"};
  }
}

/// --help, --version, or a description.
int print_information(const CLI::App& app, const CLI::Success& wanted) {
  std::ostringstream text;
  app.exit(wanted, text, text);
  print(text.str());
  return 0;
}

std::string text_summary(const json::Object& result) {
  std::size_t width = 0;
  for (const auto& [key, value] : result) width = std::max(width, key.size());
  std::string out;
  for (const auto& [key, value] : result) {
    const auto* text = value.if_string();
    out += fmt::format("{:<{}}  {}\n", key, width, text != nullptr ? *text : json::compact(value));
  }
  return out;
}

/// A relative path means the caller's folder, also where a child runs in another.
fs::Path absolute(const std::string& text) {
  std::error_code error;
  auto path = std::filesystem::absolute(text, error);
  if (error) fs::throw_errno("find the folder", text, error.value());
  return path.lexically_normal();
}

/// By default each thread comes to have a heap of its own, and keeps what it once held: 3 MiB more in a publish with
/// six threads, whose memory is to be the same whatever it sends. Large buffers are not allocated anew in its course,
/// so that two heaps cost no time.
void share_heaps() {
  ::mallopt(M_ARENA_MAX, 2);
}

/// Others may read what is written and never write it; a user who is stricter stays so. Root is not asked: the confined
/// user of a run must read what it unpacks.
void set_mask() {
  const auto before = ::umask(022);
  if (::geteuid() != 0) ::umask(before | 022U);
}

}  // namespace

void Context::output(std::string_view name, std::string_view value) {
  const bool known =
      std::any_of(m_outputs.begin(), m_outputs.end(), [&](const Output& output) { return output.name == name; });
  if (!known) throw std::logic_error{fmt::format("the output '{}' is not in the manual", name)};
  forwarded_output(name, value);
}

void Context::forwarded_output(std::string_view name, std::string_view value) {
  if (name.empty() || name.front() == '.' || name.find('/') != std::string_view::npos || name == "report.json") {
    throw Error{ErrorKind::usage, fmt::format("'{}' cannot be the name of an output", printable(name))};
  }
  std::string key{name};
  std::replace(key.begin(), key.end(), '-', '_');
  m_result.set(key, value);
  m_files.emplace_back(name, value);
}

void Context::result(std::string_view key, json::Value value) {
  m_result.set(key, std::move(value));
}

void Context::summary(std::string text) {
  m_summary = std::move(text);
}

int run(CLI::App& app, const Manual& manual, int argc, char** argv, const std::function<void(Context&)>& work) {
  occupy_standard_streams();
  share_heaps();
  set_mask();
  log::configure(app.get_name(), log::detect_form());
  try {
    end_on_signals();
  } catch (const std::system_error&) {
    return fail(exit_code(ErrorKind::unavailable), no_thread);
  }
  CommonOptions common;
  add_common_options(app, common);
  add_descriptions(app, manual);
  add_environment_names(app);
  take_one_value_each_time(app);
  app.footer([&manual] { return footer_of(manual); });
  for (const auto& [name, example] : manual.subcommands)
    app.get_subcommand(name)->footer(footer_of({{}, example, manual.exit_codes}));
  Context context;
  context.m_outputs = manual.outputs;
  OutputFolder outputs;
  const auto begin_outputs = [&](const std::string& folder) {
    std::vector<std::string> names;
    for (const auto& output : manual.outputs) names.push_back(output.name);
    outputs.begin(folder, names);
  };
  // Outputs that were known before a failure are written too: a workflow reads them whatever the exit code is.
  const auto fail_with_report = [&](int code, std::string_view kind, std::string message) {
    context.m_result.set("error", json::Object{{"kind", kind}, {"message", message}, {"exit_code", code}});
    try {
      outputs.write(context.m_files, context.m_result);
    } catch (const Error& error) {
      // One line, whatever goes wrong; that it cannot be written may be the failure itself.
      if (error.message() != message) message += fmt::format(" (and the outputs are lost: {})", error.message());
    }
    return fail(code, message);
  };
  const auto refuse = [&](ErrorKind kind, const std::string& message) {
    try {
      begin_outputs(outputs_folder_in(argc, argv));
    } catch (const Error&) {  // what was typed is at fault before
    }
    return fail_with_report(exit_code(kind), name_of(kind), message);
  };
  try {
    auto arguments = expand_arguments(app, argc, argv);
    let_flags_win(app, arguments);
    app.parse(std::move(arguments));
    refuse_strangers(app);
  } catch (const CLI::Success& wanted) {
    try {
      return print_information(app, wanted);
    } catch (const Error& error) {
      return fail(exit_code(error.kind()), error.message());
    }
  } catch (const CLI::ParseError& error) {
    return refuse(ErrorKind::usage,
                  fmt::format("{} (see {} --help)", printable(words_of(error, app), 1024), app.get_name()));
  } catch (const Error& error) {
    return refuse(error.kind(), error.message());
  }
  try {
    begin_outputs(common.outputs);
    work(context);
    log::close_bar();
    outputs.write(context.m_files, context.m_result);
    const bool as_json =
        common.output == Format::json || (common.output == Format::automatic && ::isatty(STDOUT_FILENO) == 0);
    if (as_json)
      print(json::compact(context.m_result) + "\n");
    else
      print(context.m_summary.empty() ? text_summary(context.m_result) : context.m_summary);
    return 0;
  } catch (const Error& error) {
    return fail_with_report(exit_code(error.kind()), name_of(error.kind()), error.message());
  } catch (const std::bad_alloc&) {
    return fail_with_report(exit_code(ErrorKind::unavailable), name_of(ErrorKind::unavailable),
                            "out of memory: give the step more, then try again");
  } catch (const std::filesystem::filesystem_error& error) {
    const auto kind = kind_of(error.code());
    return fail_with_report(
        exit_code(kind), name_of(kind),
        fmt::format("cannot use {}: {}", printable(error.path1().string(), 1024), error.code().message()));
  } catch (const std::system_error& error) {
    const auto kind = kind_of(error.code());
    const bool is_thread = error.code() == std::errc::resource_unavailable_try_again;
    return fail_with_report(exit_code(kind), name_of(kind),
                            is_thread ? std::string{no_thread} : printable(error.what(), 1024));
  } catch (const std::exception& error) {
    return fail_with_report(1, "bug", fmt::format("a bug in this program, please report it: {}", error.what()));
  }
}

fs::Path default_state_folder() {
  // NOLINTBEGIN(concurrency-mt-unsafe)
  if (::geteuid() == 0) return "/var/lib/capsule-loop";
  if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state == '/')
    return fs::Path{state} / "capsule-loop";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/')
    return fs::Path{home} / ".local/state/capsule-loop";
  // NOLINTEND(concurrency-mt-unsafe)
  throw Error{ErrorKind::usage, "no folder for state: give --state DIR, or set HOME or XDG_STATE_HOME"};
}

CLI::Option* add_state_option(CLI::App& app, fs::Path& state) {
  return app
      .add_option_function<std::string>(
          "--state", [&state](const std::string& text) { state = absolute(text); },
          "Folder for keys, the working store and what must be remembered [/var/lib/capsule-loop for root, else "
          "$XDG_STATE_HOME/capsule-loop]")
      ->type_name("DIR");
}

}  // namespace capsule::step
