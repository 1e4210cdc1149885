#pragma once

#include <cstdint>
#include <mutex>
#include <set>
#include <string>

#include "image/capsule_input.hpp"
#include "image/published_form.hpp"
#include "log/progress.hpp"
#include "oci/transfers.hpp"

namespace capsule::image {

/// A stretch of the package, from `start` on, as a blob. One that comes from a registry is opened by one thread at a
/// time.
oci::BlobContent segment_content(CapsuleInput& input, std::mutex& opening, const oci::Descriptor& blob,
                                 std::uint64_t start);

/// The blobs that a version is made of, on their way into its repository: the package's segments, the layers of the
/// image's base, two configs.
class VersionBlobs {
 public:
  /// All must outlive it. `sending` is what is shown of it.
  VersionBlobs(CapsuleInput& input, const PackageFacts& facts, const PublishedForm& form, oci::Store& store,
               log::Progress& sending);

  /// What can be sent while segments are on their way.
  void send_beside(oci::Transfers& segments);
  /// Looks at what the repository holds (a layout reads it, so that damage is found and mended), less what `sent` (may
  /// be null) has brought there, and puts the rest, `at_once` segments at a time.
  void put(const oci::Transfers* sent, unsigned at_once);

  [[nodiscard]] std::size_t blobs() const noexcept { return m_blobs; }    ///< that had to be sent
  [[nodiscard]] std::uint64_t bytes() const noexcept { return m_bytes; }  ///< of these

 private:
  void take(const oci::Transfers& transfers);
  void find_missing();
  void look_for(const oci::Descriptor& blob);
  void put_segments(unsigned at_once);
  void put_base_layers();
  void put_one(const oci::Descriptor& blob, Source& content);
  [[nodiscard]] std::uint64_t total_bytes() const;
  CapsuleInput& m_input;
  const PackageFacts& m_facts;
  const PublishedForm& m_form;
  oci::Store& m_store;
  log::Progress& m_sending;
  std::mutex m_opening;
  std::set<Digest> m_there;
  std::set<Digest> m_missing;
  std::size_t m_blobs = 0;
  std::uint64_t m_bytes = 0;
};

}  // namespace capsule::image
