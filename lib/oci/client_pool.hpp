#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "http/client.hpp"
#include "oci/registry_client.hpp"

namespace capsule::oci {

/// A client for several threads at once: each request goes through one that no other thread is using, made where none
/// is idle.
class ClientPool final : public http::Client {
 public:
  explicit ClientPool(Connect connect) : m_connect(std::move(connect)) {}
  http::Response send(const http::Request& request) override;

 private:
  std::unique_ptr<http::Client> take();
  Connect m_connect;
  std::mutex m_mutex;
  std::vector<std::unique_ptr<http::Client>> m_idle;
};

}  // namespace capsule::oci
