#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/digest.hpp"
#include "fs/safe_path.hpp"

namespace capsule {

/// checksum.sha256: what `sha256sum -c` reads, one line per file, sorted byte-wise by path, every file of the capsule
/// but itself and signature.sig.
class ChecksumList {
 public:
  struct Line {
    fs::SafePath path;
    Digest digest;
  };
  /// Strict: `<64 hex>  <path>\n`, sorted, no duplicates. Error invalid_input naming the line.
  static ChecksumList parse(std::string_view text);
  /// Error invalid_input: not sorted, a path twice, one that is also a folder of another, ASCII case twins.
  explicit ChecksumList(std::vector<Line> lines);

  [[nodiscard]] const std::vector<Line>& lines() const noexcept { return m_lines; }
  /// Null where the path is not listed.
  [[nodiscard]] const Line* line(std::string_view path) const noexcept;
  [[nodiscard]] const Digest* find(std::string_view path) const noexcept;
  [[nodiscard]] std::string text() const;

 private:
  std::vector<Line> m_lines;
};

}  // namespace capsule
