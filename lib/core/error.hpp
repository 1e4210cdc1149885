#pragma once

#include <exception>
#include <string>
#include <string_view>

namespace capsule {

/// What kind of failure it is; decides the exit code and whether a retry can help (README.md, "Exit codes").
enum class ErrorKind {
  usage,                ///< bad flag, missing option, unreadable configuration
  invalid_input,        ///< malformed package, manifest or document
  verification_failed,  ///< digest, signature, policy, expiry, rollback
  not_found,            ///< 404, 410, no such file
  denied,               ///< 401, 403, wrong PIN or passphrase
  conflict,             ///< the same name is already there with other bytes
  unmet_requirement,    ///< the target lacks what the capsule needs
  capsule_failed,       ///< the capsule's own script, run or hook failed
  unavailable,          ///< DNS, refused, reset, 429, 5xx
  timed_out,            ///< a time limit of ours
  busy,                 ///< a lock or a roll-out in progress
};

/// The exit code of a kind. Never 64, 65, 100–127 or 128+n: those belong to Argo, CLI11, the shell and signals.
int exit_code(ErrorKind kind) noexcept;

/// The kind's name as it stands in reports, e.g. "invalid_input".
std::string_view name_of(ErrorKind kind) noexcept;

/// Whether the same call can succeed later without a change by its caller.
bool retry_helps(ErrorKind kind) noexcept;

/// The one exception type of this code base: a kind first, words second. The message is one line that says
/// what failed, where, and what to do; it never holds a secret.
class Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string message);

  [[nodiscard]] ErrorKind kind() const noexcept { return m_kind; }
  [[nodiscard]] const std::string& message() const noexcept { return m_message; }
  [[nodiscard]] const char* what() const noexcept override { return m_message.c_str(); }

  /// The same error with where it happened put in front: "while reading capsule.json: …".
  [[nodiscard]] Error within(std::string_view where) const;

 private:
  ErrorKind m_kind;
  std::string m_message;
};

/// Runs `work`; an Error that leaves it gets `where` put in front.
template <typename Work>
decltype(auto) with_trace(std::string_view where, Work&& work) {
  try {
    return work();
  } catch (const Error& error) {
    throw error.within(where);
  }
}

/// Runs `work` on what the caller typed, or on configuration that he named (a key, a trust policy): an Error
/// invalid_input that leaves it becomes usage. Other kinds stay: a file that is not there is not_found, whoever names
/// it. `where` is put in front of the message, if it is not empty.
template <typename Work>
decltype(auto) as_usage(std::string_view where, Work&& work) {
  try {
    return work();
  } catch (const Error& error) {
    const Error out{error.kind() == ErrorKind::invalid_input ? ErrorKind::usage : error.kind(), error.message()};
    throw where.empty() ? out : out.within(where);
  }
}

/// `text` made fit for one line of a terminal: control characters (C1 and marks of direction too) and
/// invalid UTF-8 are escaped as \xNN,
/// and what is longer than `limit` bytes is cut with "…".
std::string printable(std::string_view text, std::size_t limit = 200);

}  // namespace capsule
