#include "log/log.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <mutex>

#include "core/error.hpp"
#include "core/time.hpp"
#include "log/last_error.hpp"
#include "log/screen.hpp"

namespace capsule::log {

namespace {

struct State {
  std::string program = "capsule";
  Form form = Form::plain;
  Level least = Level::info;
};

State& state() {
  static State instance;
  return instance;
}

constexpr std::array<std::string_view, 4> level_names{"debug", "info", "warning", "error"};
constexpr std::array<std::string_view, 4> level_colours{"\x1b[2m", "\x1b[36m", "\x1b[33m", "\x1b[31m"};

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : printable(text, 4096)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string json_line(Level level, std::string_view message, std::initializer_list<Field> fields) {
  auto line =
      fmt::format(R"({{"time":"{}","level":"{}","program":{},"message":{})", format_time(now()),
                  level_names.at(static_cast<std::size_t>(level)), json_string(state().program), json_string(message));
  for (const auto& [name, value] : fields) line += fmt::format(",{}:{}", json_string(name), json_string(value));
  return line + "}\n";
}

std::string text_line(Level level, std::string_view message, std::initializer_list<Field> fields) {
  const auto index = static_cast<std::size_t>(level);
  const bool colour = state().form == Form::terminal;
  std::string line = fmt::format("{}: ", state().program);
  if (level != Level::info) {
    line += colour ? fmt::format("{}{}:\x1b[0m ", level_colours.at(index), level_names.at(index))
                   : fmt::format("{}: ", level_names.at(index));
  }
  line += printable(message, 4096);
  for (const auto& [name, value] : fields) line += fmt::format(" {}={}", name, printable(value, 1024));
  return line + "\n";
}

}  // namespace

Form detect_form() {
  // NOLINTBEGIN(concurrency-mt-unsafe)
  if (std::getenv("KUBERNETES_SERVICE_HOST") != nullptr || std::getenv("ARGO_NODE_ID") != nullptr) return Form::json;
  const char* no_colour = std::getenv("NO_COLOR");
  // NOLINTEND(concurrency-mt-unsafe)
  return ::isatty(STDERR_FILENO) != 0 && (no_colour == nullptr || *no_colour == '\0') ? Form::terminal : Form::plain;
}

void configure(std::string program, Form form, Level least) {
  state() = {std::move(program), form, least};
}

Form form() noexcept {
  return state().form;
}

namespace {

std::string line_of(Level level, std::string_view message, std::initializer_list<Field> fields) {
  return state().form == Form::json ? json_line(level, message, fields) : text_line(level, message, fields);
}

}  // namespace

void write(Level level, std::string_view message, std::initializer_list<Field> fields) {
  if (level >= state().least) print_above_bar(line_of(level, message, fields));
}

void last_error(std::string_view message) {
  print_if_taken(line_of(Level::error, message, {}));
}

}  // namespace capsule::log
