#pragma once

#include <optional>

#include "capsule/verified_capsule.hpp"
#include "fs/fd.hpp"
#include "fs/temporary.hpp"

namespace capsule {

/// Unpacks a package while it is verified, into a private temporary folder beside its destination; keep() or
/// replace() gives it its name afterwards. Without that all of it goes. Files are created beneath the folder without
/// following any link, mode 0755 for what is executable, else 0644, and are the caller's.
///
///     Extractor extractor{folder};
///     const auto capsule = verify_package(source, keys, {.observer = &extractor});
///     const auto root = extractor.keep(capsule);     // <folder>/<capsule digest>
class Extractor final : public PackageObserver {
 public:
  /// `folder` must exist.
  explicit Extractor(fs::Path folder);

  void begin_file(const fs::SafePath& path, std::uint64_t size, bool executable) override;
  void file_bytes(ByteView bytes) override;
  void end_file() override;

  /// Makes the files durable and renames the folder to `<folder>/<64 hex of the capsule digest>`; one that is there
  /// already is kept, and this one goes. Returns that path.
  fs::Path keep(const VerifiedCapsule& capsule);

  /// The same, without making the files durable, and in the place of a folder that is there already, for that may have
  /// been changed since: for a caller who unpacks again after a power loss.
  fs::Path replace(const VerifiedCapsule& capsule);

  /// Where the files are until keep(): for one use, after verify_package has returned.
  [[nodiscard]] fs::Path root() const { return m_temporary->path() / "root"; }

 private:
  [[nodiscard]] fs::Path place_of(const VerifiedCapsule& capsule) const;

  fs::Path m_folder;
  std::optional<fs::TemporaryFolder> m_temporary;
  fs::Fd m_file;
  fs::Path m_name;
};

}  // namespace capsule
