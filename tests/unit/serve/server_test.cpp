#include "serve/server.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/error.hpp"

using namespace capsule;
using namespace std::chrono_literals;

namespace {

/// A server on a free port, running in a thread.
struct Running {
  serve::Server server;
  std::thread thread;
  explicit Running(const serve::Limits& limits, serve::Handler handler, const serve::Listen& listen = {})
      : server(listen, limits, std::move(handler)), thread([this] { server.run(2s); }) {}
  ~Running() {
    server.stop();
    thread.join();
  }
};

/// A client that sends what it is told to.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : m_fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(m_fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  explicit RawClient(const std::string& unix_socket) : m_fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    unix_socket.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::connect(m_fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  ~RawClient() { ::close(m_fd); }

  /// Whether all of it was taken.
  bool send(std::string_view text) const {
    return ::send(m_fd, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  }
  /// All until the server closes.
  [[nodiscard]] std::string rest() const {
    std::string out;
    std::array<char, 4096> buffer{};
    for (ssize_t count = 0; (count = ::recv(m_fd, buffer.data(), buffer.size(), 0)) > 0;)
      out.append(buffer.data(), static_cast<std::size_t>(count));
    return out;
  }
  /// Until a text was seen (once more than before).
  [[nodiscard]] std::string until(std::string_view mark) {
    std::array<char, 4096> buffer{};
    while (m_seen.find(mark) == std::string::npos) {
      const auto count = ::recv(m_fd, buffer.data(), buffer.size(), 0);
      if (count <= 0) break;
      m_seen.append(buffer.data(), static_cast<std::size_t>(count));
    }
    return std::exchange(m_seen, {});
  }

 private:
  int m_fd;
  std::string m_seen;
};

serve::Response echo(const serve::Request& request) {
  return {200, request.method + " " + request.target.path + " " + request.body, "text/plain"};
}

std::string once(std::uint16_t port, std::string_view text) {
  const RawClient client{port};
  client.send(text);
  return client.rest();
}

}  // namespace

TEST_CASE("requests are answered, one after the other over one connection") {
  Running running{{}, echo};
  RawClient client{running.server.port()};
  client.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\nPOST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody");
  CHECK(client.until("POST /b body").find("GET /a ") != std::string::npos);
  client.send("HEAD /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const auto head = client.rest();
  CHECK(head.find("Content-Length: 8\r\n") != std::string::npos);
  CHECK(head.ends_with("\r\n\r\n"));
}

TEST_CASE("chunked bodies and Expect: 100-continue are understood") {
  Running running{{}, echo};
  const auto chunked = once(running.server.port(),
                            "POST /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
                            "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n");
  CHECK(chunked.ends_with("POST /c abc"));
  RawClient client{running.server.port()};
  client.send("PUT /e HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  CHECK(client.until("\r\n\r\n").starts_with("HTTP/1.1 100"));
  client.send("ok");
  CHECK(client.until("PUT /e ok").starts_with("HTTP/1.1 200"));
}

TEST_CASE("what is malformed or too large is refused with its status") {
  serve::Limits limits;
  limits.header_bytes = 2048;
  limits.body_bytes = 1000;
  limits.idle_time = 300ms;
  Running running{limits, echo};
  const auto port = running.server.port();
  CHECK(once(port, "nonsense\r\n\r\n").starts_with("HTTP/1.1 400"));
  CHECK(once(port, "GET /%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").starts_with("HTTP/1.1 400"));
  CHECK(
      once(port, "GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(4000, 'x') + "\r\n\r\n").starts_with("HTTP/1.1 431"));
  CHECK(once(port, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n").starts_with("HTTP/1.1 413"));
  CHECK(once(port, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + std::string(1001, 'x') +
                       "\r\n0\r\n\r\n")
            .starts_with("HTTP/1.1 413"));
  CHECK(once(port, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd")
            .starts_with("HTTP/1.1 400"));
  CHECK(once(port, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
            .starts_with("HTTP/1.1 400"));
  CHECK(once(port, "GET / HTTP/1.1\r\n").empty());  // never finished: closed after its time
}

TEST_CASE("a head that leaves open where the body ends, or for whom it is, is refused and the connection closed") {
  const Running running{{}, echo};
  const auto port = running.server.port();
  const std::string next = "GET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  const auto refused = [&](const std::string& head) {
    const auto said = once(port, "POST /first " + head + "\r\n\r\n" + next);
    CHECK(said.starts_with("HTTP/1.1 400"));
    CHECK(said.find("Connection: close") != std::string::npos);
    CHECK(said.find("/next") == std::string::npos);
  };
  for (const std::string coding : {"gzip", "identity", "xchunked", "chunked, gzip", "gzip, chunked", "chunked, chunked",
                                   "chunked\r\nTransfer-Encoding: gzip", "gzip\r\nTransfer-Encoding: chunked"})
    refused("HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: " + coding);
  refused("HTTP/1.1\r\nAccept: */*");
  refused("HTTP/1.1\r\nHost: x\r\nHost: x");
  refused("HTTP/1.0\r\nHost: x\r\nHost: y");
  CHECK(once(port, "GET /old HTTP/1.0\r\n\r\n").ends_with("GET /old "));
  CHECK(once(port,
             "POST /c HTTP/1.1\r\nHost:\r\nConnection: close\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\na\r\n0\r\n\r\n")
            .ends_with("POST /c a"));
}

TEST_CASE("who is refused a large body sees the answer, not a reset, while he still sends") {
  serve::Limits limits;
  limits.takes_large = [](const std::string&) { return false; };
  const Running running{limits, echo};
  const std::size_t size = std::size_t{12} << 20U;
  for (int i = 0; i < 5; ++i) {
    const RawClient client{running.server.port()};
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n");
    std::this_thread::sleep_for(20ms);  // the answer is there before the body
    CHECK(client.send(std::string(size, 'x')));
    CHECK(client.rest().starts_with("HTTP/1.1 413"));
  }
}

TEST_CASE("large bodies are for some paths, and few at once") {
  serve::Limits limits;
  limits.large_body_bytes = 10;
  limits.large_bodies = 1;
  limits.takes_large = [](const std::string& path) { return path == "/large"; };
  const Running running{limits, echo};
  const auto port = running.server.port();
  const auto head = [](const std::string& path) {
    return "POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n";
  };
  const std::string chunked = " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  CHECK(once(port, head("/small")).starts_with("HTTP/1.1 413"));
  CHECK(once(port, "POST /small" + chunked + "b\r\n01234567890\r\n0\r\n\r\n").starts_with("HTTP/1.1 413"));
  CHECK(once(port, "POST /small HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 10\r\n\r\n0123456789")
            .starts_with("HTTP/1.1 200"));
  RawClient first{port};
  first.send(head("/large") + "0123");
  std::string second;
  for (int i = 0; i < 200 && !second.starts_with("HTTP/1.1 503"); ++i) {
    second = once(port, "POST /large" + chunked);
    if (second.empty()) std::this_thread::sleep_for(10ms);
  }
  CHECK(second.starts_with("HTTP/1.1 503"));
  CHECK(second.find("Retry-After: 1") != std::string::npos);
  first.send("4567890");
  CHECK(first.until("01234567890").starts_with("HTTP/1.1 200"));
  CHECK(once(port, "POST /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 11\r\n\r\n01234567890")
            .starts_with("HTTP/1.1 200"));
}

TEST_CASE("a flood gets 429, too many connections get 503, both with Retry-After") {
  serve::Limits limits;
  limits.rate = {1, 2};
  limits.connections = 2;
  limits.idle_time = 2s;
  limits.patience = 1h;
  Running running{limits, echo};
  const auto port = running.server.port();
  RawClient client{port};
  for (int i = 0; i < 2; ++i) {
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(client.until("GET / ").starts_with("HTTP/1.1 200"));
  }
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab");
  const auto refused = client.until("Too many requests");
  CHECK(refused.starts_with("HTTP/1.1 429"));
  CHECK(refused.find("Retry-After: 1\r\n") != std::string::npos);
  const RawClient second{port};
  const auto third = once(port, "");
  CHECK(third.starts_with("HTTP/1.1 503"));
  CHECK(third.find("Retry-After: 1\r\n") != std::string::npos);
}

TEST_CASE("who is silent keeps nobody out") {
  serve::Limits limits;
  limits.connections = 3;
  limits.patience = 0ms;
  Running running{limits, echo};
  const auto port = running.server.port();
  RawClient asking{port};
  const RawClient silent{port};
  RawClient slow{port};
  slow.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n");
  asking.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(asking.until("GET / ").starts_with("HTTP/1.1 200"));
  for (int i = 0; i < 5; ++i)
    CHECK(once(port, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").starts_with("HTTP/1.1 200"));
}

TEST_CASE("a handler that throws is a 500, and the server lives on") {
  Running running{{}, [](const serve::Request&) -> serve::Response { throw std::runtime_error{"secret detail"}; }};
  const auto answer = once(running.server.port(), "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  CHECK(answer.starts_with("HTTP/1.1 500"));
  CHECK(answer.find("secret") == std::string::npos);
}

TEST_CASE("what is being answered when the server stops is still answered") {
  std::atomic<bool> began = false;
  std::string answer;
  std::thread asking;
  {
    Running running{{}, [&](const serve::Request& request) {
                      began = true;
                      std::this_thread::sleep_for(200ms);
                      return echo(request);
                    }};
    const auto port = running.server.port();
    asking = std::thread{[&, port] { answer = once(port, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"); }};
    while (!began) std::this_thread::sleep_for(1ms);
  }
  asking.join();
  CHECK(answer.ends_with("GET /slow "));
}

TEST_CASE("a port that is taken is said so") {
  Running running{{}, echo};
  serve::Listen same;
  same.port = running.server.port();
  CHECK_THROWS_AS((serve::Server{same, {}, echo}), Error);
}

TEST_CASE("a server listens on a UNIX socket, in place of what a dead one left there") {
  const auto path = std::filesystem::temp_directory_path() / ("capsule-serve-" + std::to_string(::getpid()));
  std::ofstream{path} << "left over";
  {
    serve::Listen listen;
    listen.unix_socket = path;
    const Running running{{},
                          [](const serve::Request& request) {
                            return serve::Response{200, request.peer, "text/plain"};
                          },
                          listen};
    CHECK(running.server.url() == "unix:" + path.string());
    CHECK(running.server.port() == 0);
    const RawClient client{path.string()};
    client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    const auto answer = client.rest();
    CHECK(answer.starts_with("HTTP/1.1 200"));
    CHECK(answer.ends_with("unix"));
  }
  std::filesystem::remove(path);
  serve::Listen too_long;
  too_long.unix_socket = std::string(200, 'x');
  CHECK_THROWS_AS((serve::Server{too_long, {}, echo}), Error);
}
