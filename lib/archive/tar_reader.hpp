#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "archive/pax.hpp"
#include "archive/tar_format.hpp"
#include "core/bytes.hpp"
#include "fs/safe_path.hpp"

namespace capsule::archive {

struct TarEntry {
  fs::SafePath path;
  std::uint64_t size = 0;  ///< of the content, bytes
  /// Set if the header is, byte for byte, the canonical one for this mode.
  std::optional<Executable> canonical_mode;
};

/// Gets what a TarReader finds, in order: regular files with their content, and folders.
class TarHandler {
 public:
  TarHandler() = default;
  TarHandler(const TarHandler&) = delete;
  TarHandler& operator=(const TarHandler&) = delete;
  virtual ~TarHandler() = default;
  virtual void begin_entry(const TarEntry& entry) = 0;
  virtual void entry_bytes(ByteView bytes) = 0;
  virtual void end_entry() = 0;
  virtual void folder(const fs::SafePath& path) = 0;
};

/// Reads a tar stream as it comes (ustar, pax, GNU long names) and refuses what a capsule cannot hold, before the
/// handler sees a byte of it: unsafe paths; links, devices, sparse files; sizes that are negative, base-256 or twice
/// told; wrong checksums; padding that is not zero; a missing end, data behind it. Modes, times and owners of other
/// tools are ignored, and so is one leading `./`. Error invalid_input.
class TarReader {
 public:
  explicit TarReader(TarHandler& handler) : m_handler(handler) {}

  void feed(ByteView bytes);
  /// The stream is over: an Error unless the archive is.
  void finish() const;

  [[nodiscard]] std::uint64_t offset() const noexcept { return m_offset; }  ///< bytes fed so far
  /// Whether the next byte is the first of an entry or of the end.
  [[nodiscard]] bool at_boundary() const noexcept;
  /// Whether the next byte is behind the last entry.
  [[nodiscard]] bool in_end() const noexcept { return m_zero_blocks > 0; }
  /// Whether nothing but the canonical form was seen: canonical headers, no folders, and two zero blocks at the end.
  [[nodiscard]] bool is_canonical() const noexcept { return m_canonical; }

 private:
  enum class State { header, extension, content, padding };
  enum class Extension { none, pax, pax_global, gnu_name };

  std::size_t take_header(ByteView bytes);
  std::size_t take_extension(ByteView bytes);
  std::size_t take_content(ByteView bytes);
  std::size_t take_padding(ByteView bytes);
  void parse_block();
  void end_block();
  void begin_extension(Extension kind, std::uint64_t size);
  void end_extension();
  void begin_file(std::string_view name, std::uint64_t size);
  void begin_folder(std::string_view name, std::uint64_t size);
  void end_file();
  [[nodiscard]] std::string name_of_block();
  [[nodiscard]] std::uint64_t size_of_block();
  [[nodiscard]] std::optional<Executable> canonical_mode(const fs::SafePath& path, std::uint64_t size) const;
  void forget_extensions();

  TarHandler& m_handler;
  State m_state = State::header;
  std::array<std::byte, tar_block_bytes> m_block{};
  std::size_t m_fill = 0;     ///< bytes of m_block
  std::uint64_t m_rest = 0;   ///< bytes of content, extension or padding to come
  std::size_t m_padding = 0;  ///< bytes behind them
  std::uint64_t m_offset = 0;
  std::uint64_t m_zero_blocks = 0;
  bool m_canonical = true;

  Extension m_extension = Extension::none;
  Bytes m_extension_bytes;
  Bytes m_header_bytes;  ///< all blocks of the entry that began, as they came
  std::optional<PaxRecords> m_pax;
  std::optional<std::string> m_gnu_name;
};

}  // namespace capsule::archive
