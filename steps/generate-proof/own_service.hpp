#pragma once

#include "core/url.hpp"
#include "fs/fd.hpp"
#include "process/process.hpp"

namespace generate_proof {

/// Our own proof service (`capsule-proof-service`, beside this program), on a free port of loopback with its database
/// in the state folder; ends with this. Error not_found where the program is missing, unavailable or busy where it does
/// not start.
class OwnService {
 public:
  explicit OwnService(const capsule::fs::Path& state);
  [[nodiscard]] const capsule::Url& url() const noexcept { return m_url; }

 private:
  capsule::process::Background m_process;
  capsule::Url m_url;
};

}  // namespace generate_proof
