#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "fs/fd.hpp"
#include "oci/descriptor.hpp"

namespace capsule::oci {

/// Tags of a layout that do not stand in its index.json yet: one small file each, so that setting one costs the same
/// however many tags there are. Each says what index.json had under the tag when it was set. As long as that holds, the
/// file counts; else index.json is the newer one: its next writer took the tags over (and may have been killed before
/// it removed their files), or another tool has set the tag.
class PendingTags {
 public:
  explicit PendingTags(fs::Path folder) : m_folder(std::move(folder)) {}

  struct Pending {
    Descriptor target;
    std::optional<Digest> replaces;  ///< what index.json names; nothing: it has no such tag

    [[nodiscard]] bool counts_beside(const std::optional<Descriptor>& listed) const;
  };

  /// Error invalid_input naming the file, if it is not one of ours.
  [[nodiscard]] std::optional<Pending> find(std::string_view tag) const;
  [[nodiscard]] std::vector<std::string> tags() const;

  /// The next two are for the holder of the writer's lock.
  void put(std::string_view tag, const Pending& pending);
  void remove(const std::vector<std::string>& tags);

 private:
  fs::Path m_folder;
};

}  // namespace capsule::oci
