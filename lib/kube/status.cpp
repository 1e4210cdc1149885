#include "kube/status.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/time.hpp"
#include "http/retry.hpp"
#include "http/status.hpp"
#include "json/lookup.hpp"
#include "json/parse.hpp"

namespace capsule::kube {

namespace {

constexpr std::size_t words_limit = 1200;  // what breaks a pod security standard is a long list

std::optional<json::Value> parsed(const http::Response& response) {
  const auto* type = response.headers.find("Content-Type");
  if (type == nullptr || !type->starts_with("application/json")) return std::nullopt;
  try {
    return json::parse(response.body, "answer");
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// A list, as of the fields of a conflict, comes with a line for each.
std::string one_line(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const auto item = line.starts_with("- ") ? line.substr(2) : line;
    if (item.empty()) continue;
    if (!out.empty()) out += out.ends_with(':') ? " " : "; ";
    out += item;
  }
  return out;
}

/// A quota that is used up is told as 403, and passes.
ErrorKind kind_of(const Status& status) {
  if (status.code == 403 && status.message.find("exceeded quota") != std::string::npos) return ErrorKind::unavailable;
  return http::kind_of_status(status.code);
}

}  // namespace

ApiError::ApiError(Status status, std::string message)
    : Error(kind_of(status), std::move(message)), m_status(std::move(status)) {}

std::optional<Status> read_status(const json::Value& value) {
  if (text_at(value, "/kind") != "Status" || text_at(value, "/apiVersion") != "v1") return std::nullopt;
  Status out;
  const auto* code = value.at_pointer("/code");
  if (code != nullptr && code->is_number()) {
    const auto number = json::to_double(*code->if_number());
    if (number >= 100 && number < 1000) out.code = static_cast<int>(number);
  }
  out.reason = text_at(value, "/reason");
  out.message = text_at(value, "/message");
  out.names_object = !text_at(value, "/details/name").empty();
  const auto* causes = value.at_pointer("/details/causes");
  if (causes != nullptr && causes->is_array()) {
    for (const auto& cause : *causes->if_array()) {
      const auto field = text_at(cause, "/field");
      out.causes.push_back(fmt::format("{}: {}{}{}", text_at(cause, "/reason"), text_at(cause, "/message"),
                                       field.empty() ? "" : ": ", field));
    }
  }
  return out;
}

Status status_of(const http::Response& response) {
  Status out;
  if (const auto value = parsed(response)) out = read_status(*value).value_or(Status{});
  if (out.message.empty()) out.message = response.body.substr(0, response.body.find_first_of("\r\n"));
  out.code = response.status;
  out.retry_after = http::retry_after(response.headers, now());
  return out;
}

bool is_status(const http::Response& response) {
  const auto value = parsed(response);
  return value && read_status(*value);
}

bool is_final_word_of_a_pod(const http::Response& response) {
  const auto value = parsed(response);
  return value && !read_status(*value) && response.headers.find("Retry-After") == nullptr;
}

ApiError api_error(Status status, std::string_view what, std::string_view account) {
  const bool is_denied = http::kind_of_status(status.code) == ErrorKind::denied;
  auto message = fmt::format("cannot {}{}{}: {}{}{}", what, is_denied ? " as " : "", is_denied ? account : "",
                             status.code, status.reason.empty() ? "" : " ", printable(status.reason));
  if (!status.message.empty()) message += ": " + printable(one_line(status.message), words_limit);
  return {std::move(status), std::move(message)};
}

}  // namespace capsule::kube
