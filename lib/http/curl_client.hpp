#pragma once

#include <chrono>
#include <memory>

#include "http/client.hpp"
#include "http/host_list.hpp"

namespace capsule::http {

/// What shows a server who its client is (mutual TLS): PEM texts, the key without a passphrase.
struct ClientCertificate {
  std::string certificate;
  Secret key;
};

struct CurlLimits {
  std::chrono::milliseconds connect{10'000};
  /// A transfer that stays below `stall_rate` bytes per second for `stall_time` is timed_out.
  std::chrono::seconds stall_time{30};
  long stall_rate = 512;
  std::size_t header_bytes = std::size_t{64} << 10U;  ///< of one response
  std::string unix_socket{};                          ///< all requests go to this UNIX socket, whatever their host
  HostList plain_http{};                              ///< plain http is for these too, not for loopback alone
  /// PEM certificates to trust, in place of the system's file and of SSL_CERT_FILE; those of SSL_CERT_DIR, else of the
  /// system's folder, stay.
  std::string ca_file{};
  /// PEM text: these certificates alone are trusted, none of the system's and none of the environment's.
  std::string ca_certificates{};
  std::optional<ClientCertificate> client_certificate{};
  std::string server_name{};      ///< the server's certificate has to be for this name, in place of the URL's host
  std::optional<Secret> proxy{};  ///< URL of the proxy, in place of those of the environment; loopback goes there too
  /// What names the proxy: said where the way through it fails.
  std::string proxy_origin = "https_proxy or all_proxy";
  /// Said where a certificate is not trusted.
  std::string trust_advice = "SSL_CERT_FILE, for a registry --registry-ca, names the certificates to trust";
};

/// The real client: HTTP/1.1 over libcurl. Trust anchors are the system's, or `SSL_CERT_FILE` / `SSL_CERT_DIR`, or
/// CurlLimits::ca_file. The
/// proxies of the environment (https_proxy, all_proxy, no_proxy) are used, but never for loopback. Connections are kept
/// for the next request. Nothing of libcurl is set up before the first request.
class CurlClient final : public Client {
 public:
  explicit CurlClient(CurlLimits limits = {});
  CurlClient(const CurlClient&) = delete;
  CurlClient& operator=(const CurlClient&) = delete;
  ~CurlClient() override;
  Response send(const Request& request) override;

 private:
  struct Handle;
  CurlLimits m_limits;
  std::unique_ptr<Handle> m_handle;
};

}  // namespace capsule::http
