#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "capsule/verified_capsule.hpp"
#include "fs/fd.hpp"
#include "proof/capsule_facts.hpp"

namespace capsule::proof {

/// `proof-hooks/<name>` or `proof_hooks/<name>`, whichever the capsule has; nothing where it has neither. Error
/// invalid_input where it has both.
std::optional<std::string> hook_file(const VerifiedCapsule& capsule, std::string_view name);

/// Collects those facts while a package is verified; nothing is written to disk. Keeps claims.json (at most 4 MiB) and
/// *.json files of at most max_reference_bytes: 16 MiB of those in the folder of hooks, 16 MiB of others.
///
///     FactsCollector collector;
///     const auto capsule = verify_package(source, keys, {.observer = &collector});
///     const auto facts = collector.finish(capsule);
class FactsCollector final : public PackageObserver {
 public:
  void begin_file(const fs::SafePath& path, std::uint64_t size, bool executable) override;
  void file_bytes(ByteView bytes) override;
  void end_file() override;

  /// Error invalid_input for claims.json that is none, or a proof policy with a type that we do not know (by name);
  /// verification_failed for a type that has no claim.
  [[nodiscard]] CapsuleFacts finish(const VerifiedCapsule& capsule);

 private:
  std::map<std::string, std::string> m_kept;
  std::string* m_current = nullptr;
  std::size_t m_hook_bytes = 0;
  std::size_t m_other_bytes = 0;
};

/// The same from a folder into which the capsule was unpacked while it was verified.
CapsuleFacts facts_in_folder(const VerifiedCapsule& capsule, const fs::Path& root);

}  // namespace capsule::proof
