#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "capsule/checksum_list.hpp"
#include "core/bytes.hpp"
#include "core/digest.hpp"
#include "fs/atomic_file.hpp"
#include "fs/safe_path.hpp"
#include "log/progress.hpp"

namespace capsule {

enum class Compression { store, automatic };

/// The files that go into a package, read one after the other, each once.
class InputFiles {
 public:
  InputFiles() = default;
  InputFiles(const InputFiles&) = delete;
  InputFiles& operator=(const InputFiles&) = delete;
  virtual ~InputFiles() = default;
  /// Turns to a file; returns its first four bytes (fewer if it is shorter).
  virtual Bytes open(std::size_t file) = 0;
  /// Fills all pieces with what comes next in that file. Error where it ends too early.
  virtual void read(std::vector<MutableBytes>& pieces) = 0;
  /// All was read: an Error if the file has more.
  virtual void close() = 0;
};

struct PackageContent {
  struct File {
    fs::SafePath path;
    std::uint64_t size = 0;  ///< bytes
  };
  std::vector<File> files;         ///< sorted; without the head's files
  std::string manifest_text;       ///< capsule.json
  std::optional<Bytes> signature;  ///< signature.sig, of one that is signed already
};

struct WriteOptions {
  Compression compression = Compression::store;
  log::Progress* progress = nullptr;
};

struct WrittenPackage {
  ChecksumList files;
  Digest capsule_digest;
  std::uint64_t package_size = 0;  ///< bytes
};

/// Writes the canonical package of `content` into `out`, durably, and leaves it to the caller to commit it. The input
/// is read once: the place of the head, whose size is known before its digests are, is filled last.
WrittenPackage write_package(fs::AtomicFile& out, const PackageContent& content, InputFiles& input,
                             const WriteOptions& options);

}  // namespace capsule
