#include "process/way_out.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "process/confinement.hpp"
#include "programs.hpp"
#include "support/error_kind.hpp"

using namespace capsule;

namespace {

/// Gives back what it gets, in capitals, one connection after the other.
class Echo {
 public:
  Echo() : m_listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* where = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(m_listener.get(), where, size) == 0);
    REQUIRE(::listen(m_listener.get(), 16) == 0);
    REQUIRE(::getsockname(m_listener.get(), where, &size) == 0);
    m_port = ntohs(address.sin_port);
    m_thread = std::thread{[this] { serve(); }};
  }
  Echo(const Echo&) = delete;
  Echo& operator=(const Echo&) = delete;
  ~Echo() {
    ::shutdown(m_listener.get(), SHUT_RDWR);
    m_thread.join();
  }
  [[nodiscard]] std::uint16_t port() const { return m_port; }
  [[nodiscard]] int connections() const { return m_connections; }

 private:
  void serve() {
    while (true) {
      const fs::Fd fd{::accept4(m_listener.get(), nullptr, nullptr, SOCK_CLOEXEC)};
      if (!fd) return;
      ++m_connections;
      std::string text(100'000, '\0');
      for (ssize_t size = 0; (size = ::recv(fd.get(), text.data(), text.size(), 0)) > 0;) {
        std::transform(text.begin(), text.begin() + size, text.begin(),
                       [](char c) { return static_cast<char>(std::toupper(c)); });
        if (::send(fd.get(), text.data(), static_cast<std::size_t>(size), MSG_NOSIGNAL) < 0) break;
      }
    }
  }

  fs::Fd m_listener;
  std::uint16_t m_port = 0;
  std::atomic<int> m_connections = 0;
  std::thread m_thread;
};

process::Result run_with_way_out(std::uint16_t port, const std::string& code) {
  auto command = python("import socket, threading\n" + code);
  command.confinement = process::confine_strangers({}, {}, process::Network::none, port);
  return process::run(command);
}

bool had(const process::Result& result, std::string_view part) {
  return std::find(result.held.begin(), result.held.end(), part) != result.held.end();
}

}  // namespace

TEST_CASE("a stranger with a way out reaches that port of ours", "[as-user]") {
  const Echo echo;
  const auto result =
      run_with_way_out(echo.port(), "s = socket.create_connection(('127.0.0.1', " + std::to_string(echo.port()) +
                                        "))\n"
                                        "s.sendall(b'hello'); s.shutdown(socket.SHUT_WR)\n"
                                        "print(s.makefile().read())\n");
  INFO(result.error_output);
  CHECK(result.output == "HELLO\n");
  CHECK(had(result, "way-out"));
}

TEST_CASE("who must have no more than a way out is not started where the kernel cannot see to it") {
  const Echo echo;
  auto confinement = *process::confine_strangers({}, {}, process::Network::none, echo.port());
  confinement.only_way_out = true;
  auto command = python("print('ran')");
  command.confinement = std::make_shared<const process::Confinement>(confinement);
  CHECK(process::run(command).output == "ran\n");
  // As in a pod on an older kernel: no namespace, and no rules for ports.
  confinement.network_namespace = false;
  confinement.landlock = false;
  command.confinement = std::make_shared<const process::Confinement>(confinement);
  CHECK(kind_of([&] { process::run(command); }) == ErrorKind::unmet_requirement);
  confinement.only_way_out = false;
  command.confinement = std::make_shared<const process::Confinement>(confinement);
  CHECK(process::run(command).output == "ran\n");
}

TEST_CASE("the way out leads nowhere else", "[as-user]") {
  const Echo echo;
  const Echo other;
  const auto result = run_with_way_out(echo.port(), "for port in (" + std::to_string(other.port()) + R"(, 22):
    try: socket.create_connection(('127.0.0.1', port)); print('connected')
    except OSError: pass
for family, kind in ((socket.AF_INET, socket.SOCK_DGRAM), (socket.AF_INET6, socket.SOCK_STREAM), (socket.AF_INET, socket.SOCK_RAW),
                     (socket.AF_INET, socket.SOCK_SEQPACKET), (socket.AF_NETLINK, socket.SOCK_RAW), (socket.AF_PACKET, socket.SOCK_RAW)):
    try: socket.socket(family, kind); print('open', family, kind)
    except PermissionError: pass
socket.socketpair()
print('end')
)");
  INFO(result.error_output);
  CHECK(result.output == "end\n");
  CHECK(other.connections() == 0);
}

TEST_CASE("much goes through the way out, both ways, over connections that come and go", "[as-user]") {
  const Echo echo;
  const auto result = run_with_way_out(echo.port(), "port = " + std::to_string(echo.port()) + R"(
text = b'x' * 3000000
for i in range(3):
    s = socket.create_connection(('127.0.0.1', port))
    sender = threading.Thread(target=lambda: (s.sendall(text), s.shutdown(socket.SHUT_WR)))
    sender.start()
    print(len(s.makefile().read()))
    sender.join()
for i in range(40): socket.create_connection(('127.0.0.1', port)).close()
many = [socket.create_connection(('127.0.0.1', port)) for i in range(12)]
)");
  INFO(result.error_output);
  CHECK(result.output == "3000000\n3000000\n3000000\n");
  CHECK(result.succeeded());
}

TEST_CASE("a way out to a port where nobody listens is closed", "[as-user]") {
  std::uint16_t port = 0;
  {
    const Echo echo;
    port = echo.port();
  }
  const auto result = run_with_way_out(port, "try: print(socket.create_connection(('127.0.0.1', " +
                                                 std::to_string(port) + ")).recv(1))\nexcept OSError: print(b'')\n");
  CHECK(result.output == "b''\n");
}
