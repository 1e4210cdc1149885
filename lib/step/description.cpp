#include "step/description.hpp"

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string>

#include "core/time.hpp"
#include "step/completion.hpp"
#include "step/man_page.hpp"

namespace capsule::step {

namespace {

/// The day of a manual page: that of SOURCE_DATE_EPOCH, so that a package's bytes do not change with the clock; nothing
/// without it.
std::string date_of_build() {
  const char* epoch = std::getenv("SOURCE_DATE_EPOCH");  // NOLINT(concurrency-mt-unsafe)
  std::int64_t seconds = 0;
  if (epoch == nullptr || std::from_chars(epoch, epoch + std::strlen(epoch), seconds).ec != std::errc{}) return {};
  return format_time(Time{std::chrono::seconds{seconds}}).substr(0, std::string_view{"YYYY-MM-DD"}.size());
}

/// CLI11's own check of a hidden option would not say which one is wrong.
std::string completion_for(const std::string& shell, const CommandLine& program) {
  if (shell == "bash") return bash_completion(program);
  if (shell == "fish") return fish_completion(program);
  if (shell == "zsh") return zsh_completion(program);
  throw CLI::ValidationError{"--completion", shell + " is none of bash, fish, zsh"};
}

}  // namespace

void add_descriptions(CLI::App& app, const Manual& manual) {
  app.add_option_function<std::string>(
         "--completion",
         [&app](const std::string& shell) {
           throw CLI::CallForVersion{completion_for(shell, command_line_of(app)), 0};
         },
         "Print what completes the arguments in this shell")
      ->trigger_on_parse()
      ->configurable(false)
      ->group("");
  app.add_flag_callback(
         "--man-page",
         [&app, &manual] {
           throw CLI::CallForVersion{man_page(command_line_of(app), manual, date_of_build(), CAPSULE_VERSION), 0};
         },
         "Print the manual page")
      ->trigger_on_parse()
      ->configurable(false)
      ->group("");
}

}  // namespace capsule::step
