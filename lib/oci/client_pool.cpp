#include "oci/client_pool.hpp"

namespace capsule::oci {

std::unique_ptr<http::Client> ClientPool::take() {
  {
    const std::lock_guard lock{m_mutex};
    if (!m_idle.empty()) {
      auto out = std::move(m_idle.back());
      m_idle.pop_back();
      return out;
    }
  }
  return m_connect();
}

http::Response ClientPool::send(const http::Request& request) {
  auto client = take();
  auto response = client->send(request);  // one that throws is not used again
  const std::lock_guard lock{m_mutex};
  m_idle.push_back(std::move(client));
  return response;
}

}  // namespace capsule::oci
