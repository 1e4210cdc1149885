#include "http/curl_client.hpp"

#include <curl/curl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <mutex>
#include <new>
#include <utility>

#include "http/address.hpp"
#include "http/easy.hpp"
#include "http/proxy.hpp"
#include "http/redirect.hpp"
#include "http/tls.hpp"
#include "http/transfer.hpp"

namespace capsule::http {

namespace {

void initialize_once() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) throw std::bad_alloc{};
  });
}

const char* environment(const char* name) {
  return std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
}

/// One exchange: what libcurl's callbacks need.
struct Exchange {
  const Request& request;
  Receiver receiver;
  std::optional<AddressClass> led_from;  ///< where the server is that led here, when another one did
  bool plain_http = false;               ///< whether the host was named for plain http
  bool proxied = false;
  bool address_refused = false;
  std::unique_ptr<Source> upload;
  std::exception_ptr upload_failure;
  std::exception_ptr wait_failure;
};

extern "C" {

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  return exchange.receiver.header_line({data, size * count}) ? size * count : 0;
}

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  return exchange.receiver.body(as_bytes({data, size * count})) ? size * count : CURL_WRITEFUNC_ERROR;
}

std::size_t on_upload(char* buffer, std::size_t size, std::size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  try {
    return exchange.upload->read({reinterpret_cast<std::byte*>(buffer), size * count});
  } catch (...) {
    exchange.upload_failure = std::current_exception();
    return CURL_READFUNC_ABORT;
  }
}

/// Called about once a second, and whenever something moves.
int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  auto& exchange = *static_cast<Exchange*>(user);
  try {
    exchange.request.on_wait();
    return 0;
  } catch (...) {
    exchange.wait_failure = std::current_exception();
    return 1;
  }
}

/// Called between name resolution and connect, once per address: the one place where a name that points inwards can be
/// seen.
curl_socket_t on_open_socket(void* user, curlsocktype, curl_sockaddr* address) {
  auto& exchange = *static_cast<Exchange*>(user);
  if (!exchange.proxied) {
    const auto target = classify(address->addr);
    const bool refused =
        (exchange.led_from && !may_lead_to(*exchange.led_from, target)) ||
        (exchange.request.url.scheme() == "http" && target != AddressClass::loopback && !exchange.plain_http);
    if (refused) {
      exchange.address_refused = true;
      return CURL_SOCKET_BAD;
    }
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

}  // extern "C"

void set_method(CURL* easy, Exchange& exchange) {
  const auto& request = exchange.request;
  switch (request.method) {
    case Method::get:
      set(easy, CURLOPT_HTTPGET, 1L);
      return;
    case Method::head:
      set(easy, CURLOPT_NOBODY, 1L);
      return;
    default:
      break;
  }
  if (request.streamed_body) {
    exchange.upload = request.streamed_body->open();
    set(easy, CURLOPT_UPLOAD, 1L);
    set(easy, CURLOPT_READFUNCTION, &on_upload);
    set(easy, CURLOPT_READDATA, static_cast<void*>(&exchange));
    set(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.streamed_body->size));
  } else if (request.method != Method::del || !request.body.empty()) {
    set(easy, CURLOPT_POST, 1L);
    set(easy, CURLOPT_POSTFIELDS, request.body.c_str());
    set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  }
  set(easy, CURLOPT_CUSTOMREQUEST, name_of(request.method).data());
}

List header_list(const Request& request) {
  List list;
  if (request.headers.find("User-Agent") == nullptr) append(list, "User-Agent: capsule-loop/" CAPSULE_VERSION);
  append(list, "Expect:");  // no waiting for a 100 that many servers never send
  if (request.headers.find("Content-Type") == nullptr) append(list, "Content-Type:");  // not libcurl's guess
  for (const auto& [name, value] : request.headers) append_header(list, name, value);
  if (request.credentials) {
    // Goes the way of all headers, so that it is checked for line breaks.
    Headers secret;
    secret.add(request.credentials->header, request.credentials->value.reveal());
    append_header(list, request.credentials->header, request.credentials->value.reveal());
  }
  return list;
}

void set_limits(CURL* easy, const Request& request, const CurlLimits& limits) {
  if (!limits.unix_socket.empty()) set(easy, CURLOPT_UNIX_SOCKET_PATH, limits.unix_socket.c_str());
  set(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(limits.connect.count()));
  set(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(request.time_limit.count()));
  if (request.may_be_silent) {
    set(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    set(easy, CURLOPT_TCP_KEEPIDLE, 15L);
    set(easy, CURLOPT_TCP_KEEPINTVL, 5L);
  } else {
    set(easy, CURLOPT_LOW_SPEED_LIMIT, limits.stall_rate);
    set(easy, CURLOPT_LOW_SPEED_TIME, static_cast<long>(limits.stall_time.count()));
  }
}

void set_progress(CURL* easy, Exchange& exchange) {
  set(easy, CURLOPT_NOPROGRESS, exchange.request.on_wait ? 0L : 1L);
  if (!exchange.request.on_wait) return;
  set(easy, CURLOPT_XFERINFOFUNCTION, &on_progress);
  set(easy, CURLOPT_XFERINFODATA, static_cast<void*>(&exchange));
}

void set_basics(CURL* easy, Exchange& exchange) {
  set(easy, CURLOPT_URL, exchange.request.url.text().c_str());
  set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(easy, CURLOPT_NOSIGNAL, 1L);
  set(easy, CURLOPT_FOLLOWLOCATION, 0L);
  set(easy, CURLOPT_PATH_AS_IS, 1L);
  set(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  // Large where a large answer is wanted: three uploads at once must not each hold what they never fill.
  set(easy, CURLOPT_BUFFERSIZE, exchange.request.open_sink ? 256L << 10U : 16L << 10U);
  set(easy, CURLOPT_HEADERFUNCTION, &on_header);
  set(easy, CURLOPT_HEADERDATA, static_cast<void*>(&exchange));
  set(easy, CURLOPT_WRITEFUNCTION, &on_body);
  set(easy, CURLOPT_WRITEDATA, static_cast<void*>(&exchange));
  set(easy, CURLOPT_OPENSOCKETFUNCTION, &on_open_socket);
  set(easy, CURLOPT_OPENSOCKETDATA, static_cast<void*>(&exchange));
  // A connection that an earlier request opened was judged by that request's rules.
  set(easy, CURLOPT_FRESH_CONNECT, exchange.led_from ? 1L : 0L);
}

void set_proxy(CURL* easy, Exchange& exchange, const std::optional<Secret>& named) {
  const auto proxy = named ? named : proxy_for(exchange.request.url, environment);
  exchange.proxied = proxy.has_value();
  // The empty text keeps libcurl from looking into the environment itself.
  set(easy, CURLOPT_PROXY, proxy ? std::string{proxy->reveal()}.c_str() : "");
  set(easy, CURLOPT_NOPROXY, "");
}

struct Failure {
  ErrorKind kind;
  bool about_trust = false;
};

Failure failure_of(CURLcode code) {
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return {ErrorKind::timed_out};
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
      return {ErrorKind::verification_failed, true};
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ENGINE_NOTFOUND:
      return {ErrorKind::usage, true};
    case CURLE_SSL_CERTPROBLEM:  // the client's own certificate or its key
      return {ErrorKind::usage};
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_URL_MALFORMAT:
      return {ErrorKind::invalid_input};
    default:
      return {ErrorKind::unavailable};
  }
}

[[noreturn]] void throw_failure(CURL* easy, const Exchange& exchange, CURLcode code, const char* detail,
                                const CurlLimits& limits) {
  const auto where = exchange.request.url.loggable();
  if (exchange.address_refused && code == CURLE_COULDNT_CONNECT) {
    throw Error{ErrorKind::denied, fmt::format("{}: its address is not one that it may lead to (private, loopback or "
                                               "link-local)",
                                               where)};
  }
  if (code == CURLE_OUT_OF_MEMORY) {
    // libcurl 7.88 says so too of a header line that is longer than its buffer grows (100 KiB).
    curl_off_t first_byte = 0;  // microseconds until the answer began; 0: it has not
    curl_easy_getinfo(easy, CURLINFO_STARTTRANSFER_TIME_T, &first_byte);
    if (first_byte == 0) throw std::bad_alloc{};
    throw Error{ErrorKind::invalid_input, fmt::format("{} answers with a header line that is too long", where)};
  }
  const auto failure = failure_of(code);
  const auto message = fmt::format("{} {}: {}{}", name_of(exchange.request.method), where,
                                   printable(*detail != '\0' ? detail : curl_easy_strerror(code)),
                                   failure.about_trust ? fmt::format(" ({})", limits.trust_advice) : "") +
                       (exchange.proxied && retry_helps(failure.kind)
                            ? fmt::format(" (through the proxy that {} names)", limits.proxy_origin)
                            : "");
  if (!retry_helps(failure.kind)) throw Error{failure.kind, message};
  long sent_bytes = 0;
  curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &sent_bytes);
  throw TransportError{failure.kind, message, sent_bytes > 0 ? TransportError::Sent::maybe : TransportError::Sent::no};
}

/// A server that echoes our key must not get it into a message.
void redact_credentials(std::string& text, const std::optional<Credentials>& credentials) {
  if (!credentials) return;
  auto secret = credentials->value.reveal();
  const auto space = secret.find(' ');  // "Bearer …", "Basic …"
  if (space != std::string_view::npos) secret.remove_prefix(space + 1);
  redact(text, secret);
}

}  // namespace

struct CurlClient::Handle {
  Easy easy;
  std::array<char, CURL_ERROR_SIZE> detail{};

  Response exchange(const Request& request, const CurlLimits& limits, std::optional<AddressClass> led_from) {
    curl_easy_reset(easy.get());
    const bool plain_http = limits.plain_http.names(request.url);
    Exchange state{request, Receiver{request, limits.header_bytes}, led_from, plain_http, false, false, {}, {}, {}};
    auto headers = header_list(request);
    List connect_to;
    detail.front() = '\0';
    set(easy.get(), CURLOPT_ERRORBUFFER, detail.data());
    set_basics(easy.get(), state);
    if (!limits.server_name.empty()) set_server_name(easy.get(), request.url, limits.server_name, headers, connect_to);
    set_proxy(easy.get(), state, limits.proxy);
    set_trust(easy.get(), limits);
    set_limits(easy.get(), request, limits);
    set_progress(easy.get(), state);
    set_method(easy.get(), state);
    set(easy.get(), CURLOPT_HTTPHEADER, headers.get());
    const auto code = curl_easy_perform(easy.get());
    if (state.receiver.failure()) std::rethrow_exception(state.receiver.failure());
    if (state.upload_failure) std::rethrow_exception(state.upload_failure);
    if (state.wait_failure) std::rethrow_exception(state.wait_failure);
    if (code != CURLE_OK && !state.receiver.enough()) throw_failure(easy.get(), state, code, detail.data(), limits);
    if (!state.receiver.head_is_whole()) {
      throw TransportError{ErrorKind::unavailable,
                           fmt::format("{} {}: the connection was closed within the headers of the answer",
                                       name_of(request.method), request.url.loggable()),
                           TransportError::Sent::maybe};
    }
    const char* address = nullptr;
    curl_easy_getinfo(easy.get(), CURLINFO_PRIMARY_IP, &address);
    auto response = state.receiver.finish();
    response.address_class = state.proxied || address == nullptr ? AddressClass::public_internet : classify(address);
    if (response.status >= 300) redact_credentials(response.body, request.credentials);
    return response;
  }

  Response follow(const Request& request, const CurlLimits& limits) {
    auto response = exchange(request, limits, request.led_from);
    if (request.redirects == Redirects::give_back) return response;
    const auto origin_class = request.led_from.value_or(response.address_class);
    Request next = request;
    for (int followed = 0; is_redirect(response.status); ++followed) {
      next = redirected(next, response, followed, limits.plain_http);
      const bool same_origin = next.url.same_origin(request.url);
      response = exchange(next, limits, same_origin ? request.led_from : std::optional{origin_class});
    }
    return response;
  }
};

CurlClient::CurlClient(CurlLimits limits) : m_limits(std::move(limits)) {}
CurlClient::~CurlClient() = default;

Response CurlClient::send(const Request& request) {
  check_scheme(request.url, m_limits.plain_http);
  if (!m_handle) {
    initialize_once();
    m_handle = std::make_unique<Handle>();
    m_handle->easy.reset(curl_easy_init());
    if (!m_handle->easy) throw std::bad_alloc{};
  }
  try {
    return m_handle->follow(request, m_limits);
  } catch (...) {
    // After a failure libcurl 7.88 keeps buffers that forbid some options: the next request gets a new handle.
    m_handle.reset();
    throw;
  }
}

}  // namespace capsule::http
