#include "http/redirect.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace capsule::http {

namespace {

/// What says only what is wanted, so that a stranger may see it.
bool is_harmless(std::string_view name) noexcept {
  constexpr std::array<std::string_view, 5> names{"Accept", "Accept-Language", "Range", "If-Range", "User-Agent"};
  return std::any_of(names.begin(), names.end(), [&](std::string_view known) { return same_name(known, name); });
}

Url location_of(const Request& request, const Response& response) {
  const auto from = request.url.loggable();
  const auto* location = response.headers.find("Location");
  if (location == nullptr)
    throw Error{ErrorKind::invalid_input, fmt::format("{} redirects without saying where to", from)};
  try {
    return request.url.resolve(std::string_view{*location}.substr(0, location->find('#')));
  } catch (const Error&) {
    // The reason would quote the location, whose query can be a credential.
    throw Error{ErrorKind::invalid_input, fmt::format("{} redirects to what is no usable URL", from)};
  }
}

/// Whether plain http may be spoken with the host of `url`.
bool may_be_plain(const Url& url, const HostList& plain_http) noexcept {
  return url.is_loopback() || plain_http.names(url);
}

}  // namespace

bool is_redirect(int status) noexcept {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

void check_scheme(const Url& url, const HostList& plain_http) {
  if (url.scheme() == "https" || may_be_plain(url, plain_http)) return;
  throw Error{ErrorKind::usage,
              fmt::format("{}: plain http is for loopback (with a registry or a proof service, also for hosts that "
                          "--insecure-registry or --insecure-proof-service names): use https",
                          url.loggable())};
}

Request redirected(const Request& request, const Response& response, int followed, const HostList& plain_http) {
  const auto from = request.url.loggable();
  if (followed >= max_redirects)
    throw Error{ErrorKind::invalid_input, fmt::format("{}: more than {} redirects", from, max_redirects)};
  const auto target = location_of(request, response);
  if (target.scheme() == "http" && (request.url.scheme() == "https" || !may_be_plain(target, plain_http))) {
    throw Error{ErrorKind::denied, fmt::format("{} redirects to plain http ({})", from, target.loggable())};
  }
  const bool same_origin = target.same_origin(request.url);
  const bool safe = request.method == Method::get || request.method == Method::head;
  const bool keeps_method = safe || response.status == 307 || response.status == 308;
  if (!keeps_method && response.status != 303) {
    throw Error{ErrorKind::invalid_input, fmt::format("{} redirects a {} with status {}: ask {} itself", from,
                                                      name_of(request.method), response.status, target.loggable())};
  }
  if (!safe && keeps_method && !same_origin) {
    throw Error{ErrorKind::denied, fmt::format("{} would send a {} on to another origin ({})", from,
                                               name_of(request.method), target.loggable())};
  }
  Request next = request;
  next.url = target;
  if (!keeps_method) {
    next.method = Method::get;
    next.body.clear();
    next.streamed_body.reset();
  }
  if (!same_origin) {
    next.credentials.reset();
    next.headers = {};
    for (const auto& [name, value] : request.headers) {
      if (is_harmless(name)) next.headers.add(name, value);
    }
  }
  return next;
}

}  // namespace capsule::http
