#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "http/client.hpp"
#include "http/retry.hpp"

namespace capsule::test {

/// The blobs of one repository of a registry, in memory, as a client sees it; a test answers in its place where it
/// likes.
class BlobRegistry final : public http::Client {
 public:
  using Hook = std::function<std::optional<http::Response>(const http::Request&)>;

  std::map<std::string, std::string> blobs;                       ///< digest: content
  std::map<std::string, std::string> elsewhere;                   ///< what a mount finds
  std::optional<std::string> session;                             ///< what the one upload has so far
  std::vector<std::string> seen;                                  ///< "PATCH 0-3", "GET", …
  std::size_t received = 0;                                       ///< bytes of uploads
  std::string min_chunk;                                          ///< OCI-Chunk-Min-Length
  Hook hook = [](const http::Request&) { return std::nullopt; };  ///< asked first
  std::size_t cut_after = std::string::npos;                      ///< bytes of the next body, kept in the session

  http::Response send(const http::Request& request) override {
    const auto* range = request.headers.find("Content-Range");
    if (range == nullptr) range = request.headers.find("Range");
    seen.push_back(std::string{http::name_of(request.method)} + (range == nullptr ? "" : " " + *range));
    if (auto answer = hook(request)) return *answer;
    switch (request.method) {
      case http::Method::head:
        return answer(request, blobs.contains(name_of(request)) ? 200 : 404);
      case http::Method::post:
        return begin(request);
      case http::Method::patch:
      case http::Method::put:
        return append(request);
      case http::Method::del:
        session.reset();
        return answer(request, 204);
      case http::Method::get:
        break;
    }
    return session ? with_location(request, 204) : answer(request, 404);
  }

  static http::Response answer(const http::Request& request, int status, http::Headers headers = {}) {
    return {status, std::move(headers), "", request.url};
  }

 private:
  static std::string name_of(const http::Request& request) {
    return request.url.path().substr(request.url.path().rfind('/') + 1);
  }

  [[nodiscard]] http::Response with_location(const http::Request& request, int status) const {
    const auto last = session->empty() ? 0 : session->size() - 1;
    http::Headers headers{{"Location", "/v2/a/b/blobs/uploads/1?at=" + std::to_string(session->size())},
                          {"Range", "0-" + std::to_string(last)}};
    if (!min_chunk.empty()) headers.add("OCI-Chunk-Min-Length", min_chunk);
    return answer(request, status, std::move(headers));
  }

  http::Response begin(const http::Request& request) {
    for (const auto& [digest, content] : elsewhere) {
      const auto hex = digest.substr(7);
      if (request.url.query().find(hex) == std::string::npos || request.url.query().find("from=") == std::string::npos)
        continue;
      blobs[digest] = content;
      return answer(request, 201);
    }
    session = "";
    return with_location(request, 202);
  }

  http::Response append(const http::Request& request) {
    if (!session) return answer(request, 404);
    if (request.streamed_body) {
      const auto source = request.streamed_body->open();
      std::string body(static_cast<std::size_t>(request.streamed_body->size), '\0');
      std::size_t count = 0;  // as libcurl does: not past the announced size
      while (count < body.size()) {
        const auto more = source->read({reinterpret_cast<std::byte*>(body.data()) + count, body.size() - count});
        if (more == 0) throw std::logic_error{"a body is shorter than announced"};
        count += more;
      }
      const bool cut = cut_after < body.size();
      *session += body.substr(0, cut_after);
      received += std::min(cut_after, body.size());
      if (cut) {
        cut_after = std::string::npos;
        throw http::TransportError{ErrorKind::unavailable, "cut", http::TransportError::Sent::maybe};
      }
    }
    if (request.method == http::Method::patch) return with_location(request, 202);
    auto digest = crypto::sha256(*session).text();
    if (request.url.query().find(digest.substr(7)) == std::string::npos) return answer(request, 400);
    blobs[std::move(digest)] = *std::exchange(session, std::nullopt);
    return answer(request, 201);
  }
};

/// Sleeps at once.
inline http::Timer no_time() {
  return {[] { return std::chrono::steady_clock::time_point{}; }, [](std::chrono::milliseconds) {}, [] { return 0.0; }};
}

}  // namespace capsule::test
