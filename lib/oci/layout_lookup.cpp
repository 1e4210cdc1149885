#include "oci/layout_lookup.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "fs/atomic_file.hpp"
#include "log/log.hpp"

namespace capsule::oci {

namespace {

constexpr std::size_t head_bytes = 160;  // padded with blanks
constexpr std::size_t row_bytes = 35;    // key, offset and length, in 16, 8 and 8 hexadecimal digits

using FileStatus = struct stat;

FileStatus status_of(int file, const fs::Path& path) {
  FileStatus out{};
  if (::fstat(file, &out) != 0) fs::throw_errno("look at", path, errno);
  return out;
}

/// The head of the table of an index.json.
std::string head_for(const FileStatus& index) {
  const auto nanoseconds = [](const timespec& time) { return time.tv_sec * 1'000'000'000 + time.tv_nsec; };
  const auto text = fmt::format("capsule-loop lookup 1 {} {} {} {}", index.st_ino, index.st_size,
                                nanoseconds(index.st_mtim), nanoseconds(index.st_ctim));
  return fmt::format("{:<{}}\n", text, head_bytes - 1);
}

std::uint64_t key_of(std::string_view mark) {
  std::uint64_t out = 0;
  const auto digest = crypto::sha256(mark);
  std::from_chars(digest.hex().data(), digest.hex().data() + 16, out, 16);
  return out;
}

struct Row {
  std::uint64_t key = 0;
  std::uint64_t offset = 0;  ///< of an entry in index.json, bytes
  std::uint64_t length = 0;
  auto operator<=>(const Row&) const = default;
};

/// Up to `count` bytes at an offset; fewer at the end of the file.
std::string read_at(const fs::Fd& file, std::uint64_t offset, std::size_t count, const fs::Path& path) {
  std::string out(count, '\0');
  std::size_t done = 0;
  while (done < count) {
    const auto got = ::pread(file.get(), out.data() + done, count - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fs::throw_errno("read", path, errno);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  out.resize(done);
  return out;
}

/// A table that fits an index.json. What is not in order in it is no row.
class Table {
 public:
  static std::optional<Table> open(const fs::Path& layout, const FileStatus& index) {
    const auto path = own_folder(layout) / "lookup";
    try {
      Table out{path, fs::open_regular(path)};
      if (read_at(out.m_file, 0, head_bytes, path) != head_for(index)) return std::nullopt;
      const auto size = static_cast<std::uint64_t>(status_of(out.m_file.get(), path).st_size);
      if ((size - head_bytes) % row_bytes != 0) return std::nullopt;
      out.m_rows = (size - head_bytes) / row_bytes;
      constexpr std::uint64_t least_entry = 64;  // bytes; none of ours has more than two marks
      if (out.m_rows > 2 * static_cast<std::uint64_t>(index.st_size) / least_entry) return std::nullopt;
      return out;
    } catch (const Error&) {
      return std::nullopt;  // none, or none that may be read: index.json says it all
    }
  }

  /// The rows of a key in the order of index.json, at most `limit`; nothing where a row is not in order.
  [[nodiscard]] std::optional<std::vector<Row>> find(std::uint64_t key, std::size_t limit) const {
    std::uint64_t low = 0;
    for (std::uint64_t high = m_rows; low < high;) {
      const auto middle = low + (high - low) / 2;
      const auto there = row(middle);
      if (!there) return std::nullopt;
      (there->key < key ? low : high) = there->key < key ? middle + 1 : middle;
    }
    std::vector<Row> out;
    for (; low < m_rows && out.size() < limit; ++low) {
      const auto there = row(low);
      if (!there) return std::nullopt;
      if (there->key != key) break;
      out.push_back(*there);
    }
    return out;
  }

 private:
  Table(fs::Path path, fs::Fd file) : m_path(std::move(path)), m_file(std::move(file)) {}

  [[nodiscard]] std::optional<Row> row(std::uint64_t number) const {
    const auto text = read_at(m_file, head_bytes + number * row_bytes, row_bytes, m_path);
    Row out;
    const auto field = [&text](std::size_t at, std::size_t digits, std::uint64_t& value) {
      const char* end = text.data() + at + digits;
      return std::from_chars(text.data() + at, end, value, 16).ptr == end;
    };
    if (text.size() != row_bytes || !field(0, 16, out.key) || !field(17, 8, out.offset) || !field(26, 8, out.length))
      return std::nullopt;
    return out;
  }

  fs::Path m_path;
  fs::Fd m_file;
  std::uint64_t m_rows = 0;
};

std::string table_text(std::string_view index, const FileStatus& status) {
  std::vector<Row> rows;
  for (std::size_t at = index.find('\n') + 1; at < index.size();) {  // the first line is no entry
    const auto end = std::min(index.find('\n', at), index.size());
    auto line = index.substr(at, end - at);
    if (line.ends_with(',')) line.remove_suffix(1);
    if (line.starts_with('{')) {
      auto marks = LayoutIndex::marks_in(line);
      if (marks.empty()) marks.push_back(no_mark);
      for (const auto mark : marks) rows.push_back({key_of(mark), at, line.size()});
    }
    at = end + 1;
  }
  std::sort(rows.begin(), rows.end());
  std::string out = head_for(status);
  out.reserve(out.size() + rows.size() * row_bytes);
  for (const auto& row : rows)
    fmt::format_to(std::back_inserter(out), "{:016x} {:08x} {:08x}\n", row.key, row.offset, row.length);
  return out;
}

/// The entries at these places, if all of them are entries.
std::optional<std::vector<std::string>> entries_at(const fs::Fd& index, const std::vector<Row>& rows,
                                                   const fs::Path& path) {
  std::vector<std::string> out;
  std::size_t bytes = 0;
  for (const auto& row : rows) {
    bytes += row.length;
    if (bytes > LayoutIndex::max_bytes) return std::nullopt;
    out.push_back(read_at(index, row.offset, row.length, path));
    if (out.back().size() != row.length || !out.back().starts_with('{') || !out.back().ends_with('}'))
      return std::nullopt;
  }
  return out;
}

std::optional<std::vector<std::string>> look_up(const fs::Path& layout, const std::vector<std::string>& marks) {
  const auto path = layout / "index.json";
  const auto index = fs::open_regular(path);
  const auto status = status_of(index.get(), path);
  if (status.st_size <= static_cast<off_t>(small_index_bytes)) return std::nullopt;
  const auto table = Table::open(layout, status);
  if (!table) return std::nullopt;
  std::vector<Row> rows;
  for (const auto& mark : marks) {
    const auto found = table->find(key_of(mark), mark == no_mark ? max_unmarked : LayoutIndex::max_bytes);
    if (!found) return std::nullopt;
    rows.insert(rows.end(), found->begin(), found->end());
  }
  return entries_at(index, rows, path);
}

}  // namespace

fs::Path own_folder(const fs::Path& layout) {
  return layout / ".capsule-loop";
}

LayoutIndex read_whole_index(const fs::Path& layout) {
  const auto path = layout / "index.json";
  return LayoutIndex{fs::read_file(path, LayoutIndex::max_bytes), path.string()};
}

LayoutIndex read_index(const fs::Path& layout, const std::vector<std::string>& marks) {
  auto entries = look_up(layout, marks);
  if (!entries) return read_whole_index(layout);
  return LayoutIndex{*std::move(entries), (layout / "index.json").string()};
}

std::optional<std::uint64_t> quick_index_size(const fs::Path& layout) {
  const auto path = layout / "index.json";
  const auto status = status_of(fs::open_regular(path).get(), path);
  if (!Table::open(layout, status)) return std::nullopt;
  return static_cast<std::uint64_t>(status.st_size);
}

void write_index(const fs::Path& layout, const LayoutIndex& index) {
  const auto path = layout / "index.json";
  const auto text = index.text();
  fs::sweep_temporaries(path);
  fs::AtomicFile file{path};
  file.write(as_bytes(text));
  file.commit();
  if (text.size() <= small_index_bytes) return;
  const fs::Path table = own_folder(layout) / "lookup";
  try {
    // Of the file that was written here, whatever its name may lead to by now.
    const auto status = status_of(file.fd(), path);
    std::filesystem::create_directories(table.parent_path());
    fs::sweep_temporaries(table);
    fs::write_file(table, table_text(text, status));
  } catch (const std::exception& error) {  // what was asked for is done
    log::warning("the table that makes large layouts quick could not be written", {{"reason", error.what()}});
  }
}

}  // namespace capsule::oci
