#include "http/client.hpp"

#include <fmt/format.h>

#include <charconv>

#include "http/status.hpp"

namespace capsule::http {

namespace {

std::string_view reason_of(int status) noexcept {
  switch (status) {
    case 400:
      return " Bad Request";
    case 401:
      return " Unauthorized";
    case 403:
      return " Forbidden";
    case 404:
      return " Not Found";
    case 408:
      return " Request Timeout";
    case 409:
      return " Conflict";
    case 410:
      return " Gone";
    case 416:
      return " Range Not Satisfiable";
    case 422:
      return " Unprocessable Content";
    case 429:
      return " Too Many Requests";
    case 500:
      return " Internal Server Error";
    case 502:
      return " Bad Gateway";
    case 503:
      return " Service Unavailable";
    case 504:
      return " Gateway Timeout";
    default:
      return "";
  }
}

}  // namespace

std::string_view name_of(Method method) noexcept {
  switch (method) {
    case Method::get:
      return "GET";
    case Method::head:
      return "HEAD";
    case Method::post:
      return "POST";
    case Method::put:
      return "PUT";
    case Method::patch:
      return "PATCH";
    case Method::del:
      return "DELETE";
  }
  return "GET";
}

std::optional<std::uint64_t> Head::content_length() const {
  const auto* text = headers.find("Content-Length");
  if (text == nullptr) return std::nullopt;
  std::uint64_t length = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), length);
  if (error != std::errc{} || end != text->data() + text->size()) return std::nullopt;
  return length;
}

void expect_success(const Response& response, std::string_view what) {
  if (response.status >= 200 && response.status < 300) return;
  auto message =
      fmt::format("{}: {} answers {}{}", what, response.url.loggable(), response.status, reason_of(response.status));
  const auto words = response.body.substr(0, response.body.find_first_of("\r\n"));
  if (!words.empty()) message += ": " + printable(words);
  throw Error{kind_of_status(response.status), message};
}

}  // namespace capsule::http
