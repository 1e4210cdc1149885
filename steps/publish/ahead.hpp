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
#include "publish.hpp"
#include "transfers.hpp"

namespace publish {

/// A stretch of the package, from `start` on, as a blob. One that comes from a registry is opened by one thread at a
/// time.
capsule::oci::BlobContent content_of(capsule::image::CapsuleInput& input, std::mutex& opening,
                                     const capsule::oci::Descriptor& blob, std::uint64_t start);

/// How many blobs are on their way to a registry at once: a disk gains nothing by several writers.
unsigned at_once(const capsule::oci::RegistryLocation& registry);

/// Sends the segments that the hints name while the package is being verified, the smallest first: beside a large one
/// they make a registry on a disk wait for that disk. The registry holds them against the digests of the hints, and
/// verifying finds out whether those are the package's: so they are not hashed once more for being sent. Blobs without
/// a manifest are nothing that anybody sees; what is not as the hints say is left to the Publisher. Nothing is sent to
/// a layout, without hints, or where the version is published already.
class AheadOfVerification {
 public:
  AheadOfVerification(const Request& request, const std::optional<Hints>& hints);

  [[nodiscard]] bool is_sending() const noexcept { return m_transfers.has_value(); }
  /// The repository that it looked into, if it is that of `name`; else null.
  [[nodiscard]] std::shared_ptr<capsule::oci::Store> store(std::string_view name) const;
  /// Does the verifying: where something is on its way, in a thread that gives way to it, for the line is what takes
  /// longest. Its errors are thrown.
  void during(const std::function<void()>& verify);
  /// How many threads verifying may have: one fewer than there are cores while something is on its way, but one; else
  /// 0, as many as help.
  [[nodiscard]] unsigned workers_left() const noexcept;
  /// A small blob that verification has made known, to be sent meanwhile; not counted unless it is said so.
  void add(std::string_view text, Transfers::Count count);
  /// The package is verified: waits for what is on its way, shown by `progress`. Null: nothing was sent.
  const Transfers* finish(capsule::log::Progress& progress);

 private:
  std::string m_name;
  std::shared_ptr<capsule::oci::Store> m_store;
  std::mutex m_opening;
  std::optional<Transfers> m_transfers;
};

}  // namespace publish
