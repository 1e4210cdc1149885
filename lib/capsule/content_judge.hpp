#pragma once

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "archive/tar_reader.hpp"
#include "capsule/package_head.hpp"
#include "capsule/segment_plan.hpp"
#include "capsule/verified_capsule.hpp"
#include "crypto/hash.hpp"

namespace capsule {

/// Judges the content of a package as it goes by (for verify_package and check_package): collects the head, and asks
/// `check_head` once it is there; from then on each file must be listed, once, with its digest. Where the head does not
/// come first, the digests of what comes before it are kept and compared afterwards.
class ContentJudge final : public archive::TarHandler {
 public:
  /// Throws if the head is not good. Gets a head whose list and manifest are well formed, nothing more.
  using HeadCheck = std::function<void(const PackageHead&)>;
  enum class Signature { required, optional };

  struct Options {
    PackageLimits limits;
    PackageObserver* observer = nullptr;
    Signature signature = Signature::required;
    HeadCheck check_head;
  };
  explicit ContentJudge(Options options);

  void begin_entry(const archive::TarEntry& entry) override;
  void entry_bytes(ByteView bytes) override;
  void end_entry() override;
  void folder(const fs::SafePath& path) override;

  /// The archive is over: nothing may be missing.
  void finish();

  /// Set once check_head has accepted it.
  [[nodiscard]] const PackageHead* head() const noexcept { return m_head ? &*m_head : nullptr; }
  [[nodiscard]] PackageHead take_head();
  [[nodiscard]] const std::vector<PlannedEntry>& entries() const noexcept { return m_entries; }
  /// Whether order and modes are canonical so far.
  [[nodiscard]] bool is_canonical() const noexcept { return m_canonical; }

 private:
  enum class Kind : std::uint8_t { signature, checksums, manifest, file };
  struct Current {
    std::optional<archive::TarEntry> entry;
    Kind kind{};
    std::array<std::byte, 4> first{};  ///< the bytes that decide the mode
    std::size_t first_size = 0;
    bool announced = false;
  };

  void note_order(const archive::TarEntry& entry);
  void expect(const fs::SafePath& path);
  void announce();
  [[nodiscard]] std::size_t take_first(ByteView bytes);
  void record(const fs::SafePath& path, const Digest& digest);
  void compare(const fs::SafePath& path, const Digest& digest);
  void settle_if_possible(bool at_end);
  void settle();
  std::optional<std::string>& captured(Kind kind) { return m_captured[static_cast<std::size_t>(kind)]; }

  Options m_options;
  Current m_current;
  crypto::Hasher m_hasher;
  std::array<std::optional<std::string>, 3> m_captured;  ///< by Kind, the head's files
  std::size_t m_captured_bytes = 0;
  std::optional<PackageHead> m_head;
  std::map<fs::SafePath, Digest> m_pending;  ///< what came before the head
  std::vector<bool> m_seen;                  ///< by line of the list
  std::vector<PlannedEntry> m_entries;
  std::string m_previous;  ///< path of the entry before
  bool m_canonical = true;
};

}  // namespace capsule
