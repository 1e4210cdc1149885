#include "http/tls.hpp"

#include <cstdlib>

namespace capsule::http {

namespace {

const char* environment(const char* name) {
  return std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
}

/// The bytes have to outlive the exchange: nobody keeps a second copy of a key.
void set_blob(CURL* easy, CURLoption option, std::string_view bytes) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): libcurl's blob knows no const; it only reads
  curl_blob blob{const_cast<char*>(bytes.data()), bytes.size(), CURL_BLOB_NOCOPY};
  set(easy, option, &blob);
}

void set_environment_trust(CURL* easy) {
  const char* file = environment("SSL_CERT_FILE");
  const char* folder = environment("SSL_CERT_DIR");
  const bool has_file = file != nullptr && *file != '\0';
  const bool has_folder = folder != nullptr && *folder != '\0';
  if (has_file || has_folder) {
    set(easy, CURLOPT_CAINFO, has_file ? file : static_cast<const char*>(nullptr));
    set(easy, CURLOPT_CAPATH, has_folder ? folder : static_cast<const char*>(nullptr));
  }
}

std::string in_brackets(const std::string& host) {
  return host.find(':') == std::string::npos ? host : fmt::format("[{}]", host);
}

}  // namespace

void set_trust(CURL* easy, const CurlLimits& limits) {
  set(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  set(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  set(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (limits.ca_certificates.empty()) {
    set_environment_trust(easy);
    if (!limits.ca_file.empty()) set(easy, CURLOPT_CAINFO, limits.ca_file.c_str());
  } else {
    set(easy, CURLOPT_CAINFO, static_cast<const char*>(nullptr));
    set(easy, CURLOPT_CAPATH, static_cast<const char*>(nullptr));
    set_blob(easy, CURLOPT_CAINFO_BLOB, limits.ca_certificates);
  }
  if (limits.client_certificate) {
    set_blob(easy, CURLOPT_SSLCERT_BLOB, limits.client_certificate->certificate);
    set_blob(easy, CURLOPT_SSLKEY_BLOB, limits.client_certificate->key.reveal());
    set(easy, CURLOPT_KEYPASSWD, "");  // an encrypted key is refused; nobody is asked on the terminal
  }
}

void set_server_name(CURL* easy, const Url& url, const std::string& server_name, List& headers, List& connect_to) {
  const auto port = url.port();
  const auto named = Url::parse(fmt::format("{}://{}:{}", url.scheme(), in_brackets(server_name), port))
                         .with_path(url.path(), url.query());
  set(easy, CURLOPT_URL, named.text().c_str());
  append(headers, fmt::format("Host: {}:{}", in_brackets(url.host()), port));
  append(connect_to, fmt::format("{}:{}:{}:{}", in_brackets(named.host()), port, in_brackets(url.host()), port));
  set(easy, CURLOPT_CONNECT_TO, connect_to.get());
}

}  // namespace capsule::http
