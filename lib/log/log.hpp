#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace capsule::log {

enum class Level { debug, info, warning, error };

/// How lines look on stderr: coloured text on a terminal, plain text in a pipe, JSON lines in a pod
/// (KUBERNETES_SERVICE_HOST or ARGO_NODE_ID is set).
enum class Form { terminal, plain, json };
Form detect_form();

/// Set once, at the start of a process. `program` is the name in front of each line. Levels below `least` are dropped.
void configure(std::string program, Form form, Level least = Level::info);
[[nodiscard]] Form form() noexcept;

using Field = std::pair<std::string_view, std::string>;

/// One line on stderr. Never pass a secret. Control characters are escaped. A progress bar that stands there is redrawn
/// below.
void write(Level level, std::string_view message, std::initializer_list<Field> fields = {});

inline void debug(std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::debug, message, fields);
}
inline void info(std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::info, message, fields);
}
inline void warning(std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::warning, message, fields);
}
inline void error(std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::error, message, fields);
}

}  // namespace capsule::log
