#include "oci/registry_error.hpp"

#include <fmt/format.h>

#include <optional>

#include "core/error.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"

namespace capsule::oci {

namespace {

struct Words {
  std::string code;
  std::string message;
};

std::optional<Words> parsed(std::string_view body) {
  try {
    const auto document = json::parse(body, "an error");
    const auto errors = json::Cursor{document, "an error"}.at("errors").elements();
    if (errors.empty()) return std::nullopt;
    const auto text = [&](std::string_view key) {
      const auto field = errors.front().optional(key);
      return field && field->value().is_string() ? field->string() : std::string{};
    };
    return Words{text("code"), text("message")};
  } catch (const Error&) {
    return std::nullopt;  // a proxy's page, or half a document
  }
}

/// What a code says of the kind, where the status alone would say something else.
std::optional<ErrorKind> kind_of(std::string_view code) {
  if (code == "MANIFEST_BLOB_UNKNOWN" || code == "MANIFEST_INVALID" || code == "NAME_INVALID" || code == "TAG_INVALID")
    return ErrorKind::invalid_input;
  if (code == "DIGEST_INVALID" || code == "SIZE_INVALID") return ErrorKind::verification_failed;
  if (code == "TOOMANYREQUESTS") return ErrorKind::unavailable;
  if (code == "UNAUTHORIZED" || code == "DENIED") return ErrorKind::denied;
  return std::nullopt;
}

}  // namespace

std::string registry_words(std::string_view body) {
  const auto words = parsed(body);
  if (!words) return printable(body.substr(0, body.find_first_of("\r\n")));
  if (words->code.empty() || words->message.empty()) return printable(words->code + words->message);
  return printable(fmt::format("{}: {}", words->code, words->message));
}

void expect_registry_success(const http::Response& response, std::string_view what) {
  if (response.status >= 200 && response.status < 300) return;
  auto plain = response;
  plain.body = registry_words(response.body);
  const auto words = parsed(response.body);
  const auto kind = words ? kind_of(words->code) : std::nullopt;
  try {
    http::expect_success(plain, what);
  } catch (const Error& error) {
    if (!kind) throw;
    throw Error{*kind, error.message()};
  }
}

}  // namespace capsule::oci
