#pragma once

#include <cstdint>
#include <mutex>
#include <set>
#include <string>

#include "ahead.hpp"
#include "image/published_form.hpp"
#include "image/verified_form.hpp"
#include "oci/store.hpp"
#include "publish.hpp"
#include "transfers.hpp"

namespace publish {

/// The blobs that a version is made of, on their way into its repository: the package's segments, the layers of the
/// image's base, two configs.
class VersionBlobs {
 public:
  /// All must outlive it. `sending` is what is shown of it.
  VersionBlobs(capsule::image::CapsuleInput& input, const capsule::image::VerifiedForm& checked,
               const capsule::image::PublishedForm& form, capsule::oci::Store& store, capsule::log::Progress& sending);

  /// What can be sent while segments are on their way.
  void send_beside(AheadOfVerification& ahead);
  /// Looks at what the repository holds (a layout reads it, so that damage is found and mended), less what `sent` (may
  /// be null) has brought there, and puts the rest, `at_once` segments at a time.
  void put(const Transfers* sent, unsigned at_once);

  [[nodiscard]] std::size_t blobs() const noexcept { return m_blobs; }    ///< that had to be sent
  [[nodiscard]] std::uint64_t bytes() const noexcept { return m_bytes; }  ///< of these

 private:
  void take(const Transfers& transfers);
  void find_missing();
  void look_for(const capsule::oci::Descriptor& blob);
  void put_segments(unsigned at_once);
  void put_base_layers();
  void put_one(const capsule::oci::Descriptor& blob, capsule::Source& content);
  [[nodiscard]] std::uint64_t total_bytes() const;
  capsule::image::CapsuleInput& m_input;
  const capsule::image::VerifiedForm& m_checked;
  const capsule::image::PublishedForm& m_form;
  capsule::oci::Store& m_store;
  capsule::log::Progress& m_sending;
  std::mutex m_opening;
  std::set<capsule::Digest> m_there;
  std::set<capsule::Digest> m_missing;
  std::size_t m_blobs = 0;
  std::uint64_t m_bytes = 0;
};

}  // namespace publish
