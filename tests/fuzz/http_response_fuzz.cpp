// Any bytes as what a server sends: lines are header lines until the first empty one after a final status, the rest is
// the body in pieces. Limits hold, and whatever is accepted can be resolved as a redirect or judged as a status.

#include <cstdlib>

#include "core/error.hpp"
#include "http/redirect.hpp"
#include "http/retry.hpp"
#include "http/transfer.hpp"

using namespace capsule;

namespace {

constexpr std::size_t header_limit = 4096;
constexpr std::size_t body_limit = 1000;

bool feed(http::Receiver& receiver, std::string_view text) {
  bool in_body = false;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end == std::string_view::npos ? text.size() : end + 1);
    text.remove_prefix(line.size());
    if (!(in_body ? receiver.body(as_bytes(line)) : receiver.header_line(line))) return false;
    if (line == "\r\n") in_body = true;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  http::Request request{.url = Url::parse("https://a.example/b/c?d=e")};
  request.response_limit = body_limit;
  http::Receiver receiver{request, header_limit};
  const bool whole = feed(receiver, {reinterpret_cast<const char*>(data), size});
  if (!whole && !receiver.failure() && !receiver.enough()) std::abort();
  if (receiver.failure()) return 0;
  try {
    const auto response = receiver.finish();
    if (response.status < 300 && response.body.size() > body_limit) std::abort();
    static_cast<void>(http::retry_after(response.headers, Time{}));
    if (http::is_redirect(response.status)) {
      const auto next = http::redirected(request, response, 0);
      if (next.url.scheme() != "https") std::abort();
    }
    http::expect_success(response, "fuzz");
  } catch (const Error&) {
  }
  return 0;
}
