#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace capsule::serve {

/// A request target (RFC 9112 §3.2, origin-form), percent-decoded.
struct Target {
  std::string path;                          ///< begins with '/'; never holds NUL or a slash that was encoded
  std::map<std::string, std::string> query;  ///< '+' is a space
};

/// Nothing for what is malformed: no leading slash, white space, control or non-ASCII characters, a bad escape, an
/// encoded slash or NUL, a repeated query key, more than 64 of them.
std::optional<Target> parse_target(std::string_view text);

struct Request {
  std::string method;  ///< "GET", …
  Target target;
  std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case
  std::string body;
  std::string peer;  ///< the client's address; "unix" on a UNIX socket

  /// The value of the first header of that name (lower case), or null.
  [[nodiscard]] const std::string* header(std::string_view name) const noexcept;
};

struct Response {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers{};
};

/// `{"detail": text}`: how the server itself says no.
Response refusal(int status, std::string_view detail);

}  // namespace capsule::serve
