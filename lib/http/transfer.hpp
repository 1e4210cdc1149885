#pragma once

#include <exception>
#include <string>
#include <string_view>

#include "http/address.hpp"
#include "http/client.hpp"

namespace capsule::http {

/// What one exchange receives, as libcurl hands it over: header lines, then the body. Independent of libcurl, which
/// must not see an exception: what goes wrong is kept in `failure`.
class Receiver {
 public:
  Receiver(const Request& request, std::size_t header_limit) : m_request(request), m_header_limit(header_limit) {}

  /// One line with its end. False: stop the transfer, `failure` says why.
  bool header_line(std::string_view line) noexcept;
  /// False: stop the transfer; without a `failure` what is there is enough.
  bool body(ByteView bytes) noexcept;

  [[nodiscard]] const std::exception_ptr& failure() const noexcept { return m_failure; }
  /// Whether the headers have ended as they must; a connection that is closed before is no error to libcurl.
  [[nodiscard]] bool head_is_whole() const noexcept { return m_head_is_whole; }
  /// Whether the rest of an error's body was left unread.
  [[nodiscard]] bool enough() const noexcept { return m_enough; }
  /// The response; a 2xx without a body gets its sink here.
  Response finish();

 private:
  void read_header_line(std::string_view line);
  void begin_body();
  void take(ByteView bytes);
  [[nodiscard]] bool succeeded() const noexcept { return m_head.status >= 200 && m_head.status < 300; }

  const Request& m_request;
  std::size_t m_header_limit;
  std::size_t m_header_bytes = 0;
  Head m_head;
  bool m_head_is_whole = false;
  bool m_body_began = false;
  bool m_enough = false;
  std::uint64_t m_received = 0;
  Sink* m_sink = nullptr;
  std::string m_text;
  std::exception_ptr m_failure;
};

}  // namespace capsule::http
