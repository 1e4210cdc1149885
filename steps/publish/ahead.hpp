#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "hints.hpp"
#include "image/capsule_input.hpp"
#include "log/progress.hpp"
#include "oci/transfers.hpp"
#include "publish.hpp"

namespace publish {

/// Sends the segments that the hints name while the package is being verified, the smallest first: beside a large one
/// they make a registry on a disk wait for that disk. The registry holds them against the digests of the hints, and
/// verifying finds out whether those are the package's: so they are not hashed once more for being sent. Blobs without
/// a manifest are nothing that anybody sees; what is not as the hints say is left to the Publisher. Nothing is sent to
/// a layout, without hints, or where the version is published already.
class AheadOfVerification {
 public:
  AheadOfVerification(const Request& request, const std::optional<Hints>& hints);

  /// What is on its way, for what verification has made known meanwhile; null where nothing is.
  [[nodiscard]] capsule::oci::Transfers* transfers() noexcept { return m_transfers ? &*m_transfers : nullptr; }
  /// The repository that it looked into, if it is that of `name`; else null.
  [[nodiscard]] std::shared_ptr<capsule::oci::Store> store(std::string_view name) const;
  /// Does the verifying: where something is on its way, in a thread that gives way to it, for the line is what takes
  /// longest. Its errors are thrown.
  void during(const std::function<void()>& verify);
  /// How many threads verifying may have: one fewer than there are cores while something is on its way, but one; else
  /// 0, as many as help.
  [[nodiscard]] unsigned workers_left() const noexcept;
  /// The package is verified: waits for what is on its way, shown by `progress`. Null: nothing was sent.
  const capsule::oci::Transfers* finish(capsule::log::Progress& progress);

 private:
  std::string m_name;
  std::shared_ptr<capsule::oci::Store> m_store;
  std::mutex m_opening;
  std::optional<capsule::oci::Transfers> m_transfers;
};

}  // namespace publish
