#include "capsule/package_writer.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <thread>

#include "archive/gzip_member.hpp"
#include "archive/pipeline.hpp"
#include "archive/tar_format.hpp"
#include "capsule/head.hpp"
#include "capsule/package_head.hpp"
#include "capsule/segment_plan.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"

namespace capsule {

namespace {

using archive::Pipeline;

constexpr std::size_t slots = 6;
constexpr std::size_t hex_digits = 64;

/// Lines of checksum.sha256 as they will be, but for the digests.
std::size_t checksums_size(const PackageContent& content) {
  std::size_t size = hex_digits + 3 + head::manifest.size();
  for (const auto& file : content.files) size += hex_digits + 3 + file.path.text().size();
  return size;
}

std::uint64_t head_tar_size(const PackageContent& content) {
  const auto entry = [](std::string_view path, std::size_t size) {
    return archive::tar_entry_header_size(fs::SafePath::parse(path), size) + size + archive::tar_padding(size);
  };
  return (content.signature ? entry(head::signature, content.signature->size()) : 0) +
         entry(head::checksums, checksums_size(content)) + entry(head::manifest, content.manifest_text.size());
}

/// What follows the head, as one stream of tar bytes that is cut into members.
class Body {
 public:
  Body(const PackageContent& content, InputFiles& input) : m_content(content), m_input(input) {
    for (const auto& file : content.files) {
      m_entries.push_back(
          {PlannedEntry::kind_of(file.path.text()), file.size,
           archive::tar_entry_header_size(file.path, file.size) + file.size + archive::tar_padding(file.size)});
    }
    // The threshold counts the head's segment too; an entry stands for it.
    auto with_head = m_entries;
    with_head.insert(with_head.begin(), {PlannedEntry::Kind::head, 0, 0});
    m_segments = cut_segments(m_entries, segment_threshold(with_head));
  }

  /// Content of a file in a member, to be hashed.
  struct Job {
    std::size_t file = 0;
    std::size_t first = 0;  ///< pieces
    std::size_t last = 0;
    bool ends = false;
  };

  /// Makes the next member, all but its CRC; false at the end.
  bool fill(archive::StoredMember& member, std::vector<MutableBytes>& pieces, std::vector<Job>& jobs) {
    pieces.clear();
    jobs.clear();
    if (m_segment == m_segments.size()) return false;
    const auto& segment = m_segments[m_segment];
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>(archive::member_data_bytes, segment.tar_size - m_done));
    member.begin(size);
    for (std::size_t at = 0; at < size;) at += fill_some(member, at, pieces, jobs);
    m_done += size;
    if (m_done == segment.tar_size) {
      m_done = 0;
      ++m_segment;
    }
    return true;
  }

 private:
  /// Continues the entry under way from place `at` of the member; returns by how much.
  std::size_t fill_some(archive::StoredMember& member, std::size_t at, std::vector<MutableBytes>& pieces,
                        std::vector<Job>& jobs) {
    const auto room = member.size() - at;
    if (m_entry == m_content.files.size()) return put(member, at, Bytes(room));  // the end of the archive
    const auto& file = m_content.files[m_entry];
    if (m_position == 0) begin_entry(file);
    const auto content_end = m_header.size() + file.size;
    std::size_t count = 0;
    if (m_position < m_header.size()) {
      const auto offset = static_cast<std::size_t>(m_position);
      count = put(member, at, ByteView{m_header}.subspan(offset, std::min(room, m_header.size() - offset)));
    } else if (m_position < content_end) {
      count = static_cast<std::size_t>(std::min<std::uint64_t>(room, content_end - m_position));
      read_content(member, at, count, pieces, jobs);
    } else {
      const auto padding = static_cast<std::size_t>(m_entries[m_entry].tar_size - m_position);
      count = put(member, at, Bytes(std::min(room, padding)));
    }
    m_position += count;
    if (m_position >= content_end && !m_closed) end_content(jobs, pieces.size());
    if (m_position == m_entries[m_entry].tar_size) {
      m_position = 0;
      ++m_entry;
    }
    return count;
  }

  static std::size_t put(archive::StoredMember& member, std::size_t at, ByteView bytes) {
    member.put(at, bytes);
    return bytes.size();
  }

  void begin_entry(const PackageContent::File& file) {
    m_first = m_input.open(m_entry);
    m_header = archive::tar_entry_header(file.path, file.size, archive::executable_of(m_first));
    m_closed = false;
  }

  void read_content(archive::StoredMember& member, std::size_t at, std::size_t count, std::vector<MutableBytes>& pieces,
                    std::vector<Job>& jobs) {
    const auto first = pieces.size();
    member.append_pieces(at, count, pieces);
    std::vector<MutableBytes> wanted{pieces.begin() + static_cast<std::ptrdiff_t>(first), pieces.end()};
    m_input.read(wanted);
    if (m_position == m_header.size()) check_first({pieces.data() + first, pieces.size() - first});
    jobs.push_back({m_entry, first, pieces.size(), false});
  }

  /// The header was made from bytes that were read before: they must be the same still.
  void check_first(std::span<const MutableBytes> pieces) const {
    std::size_t i = 0;
    for (const auto piece : pieces) {
      for (const auto byte : piece) {
        if (i == m_first.size()) return;
        if (byte != m_first[i++]) {
          throw Error{ErrorKind::invalid_input, fmt::format("{} changed while it was packed: try again",
                                                            printable(m_content.files[m_entry].path.text(), 1024))};
        }
      }
    }
  }

  void end_content(std::vector<Job>& jobs, std::size_t pieces) {
    m_input.close();
    m_closed = true;
    if (jobs.empty() || jobs.back().file != m_entry) jobs.push_back({m_entry, pieces, pieces, false});
    jobs.back().ends = true;
  }

  const PackageContent& m_content;
  InputFiles& m_input;
  std::vector<PlannedEntry> m_entries;
  std::vector<PlannedSegment> m_segments;
  std::size_t m_segment = 0;
  std::uint64_t m_done = 0;  ///< bytes of the segment
  std::size_t m_entry = 0;
  std::uint64_t m_position = 0;  ///< in the entry
  Bytes m_first;
  Bytes m_header;
  bool m_closed = false;
};

class Writer {
 public:
  Writer(fs::AtomicFile& out, const PackageContent& content, InputFiles& input, const WriteOptions& options)
      : m_out(out),
        m_content(content),
        m_options(options),
        m_body(content, input),
        m_head_size(archive::stored_segment_size(head_tar_size(content))),
        m_end(m_head_size),
        m_digests(content.files.size()) {}

  WrittenPackage run() {
    write_body();
    auto files = checksum_list();
    const auto checksums = files.text();
    const auto head = archive::encode_stored(head_tar(m_content.signature, checksums, m_content.manifest_text));
    if (head.size() != m_head_size) throw std::logic_error{"the head of the package has another size than planned"};
    m_out.write_at(0, head);
    auto digest = sync_and_hash();
    return {std::move(files), crypto::sha256(checksums), std::move(digest), m_end};
  }

 private:
  struct Slot {
    archive::StoredMember member;
    std::unique_ptr<archive::MemberDeflater> deflater;
    std::vector<MutableBytes> pieces;
    std::vector<Body::Job> jobs;
    ByteView bytes;
  };

  void write_body() {
    constexpr auto serial = Pipeline::Order::serial;
    Pipeline pipeline{
        slots, [this](std::size_t i) { return m_body.fill(m_slots[i].member, m_slots[i].pieces, m_slots[i].jobs); }};
    const auto encoded = pipeline.add(Pipeline::Order::parallel, [this](std::size_t i) { encode(m_slots[i]); });
    pipeline.add(serial, [this](std::size_t i) { hash_files(m_slots[i]); });
    pipeline.add(serial, [this](std::size_t i) { write(m_slots[i]); }, {encoded});
    pipeline.run(Pipeline::default_workers());
  }

  void encode(Slot& slot) const {
    slot.member.finish();
    slot.bytes = slot.member.bytes();
    if (m_options.compression == Compression::store) return;
    if (!slot.deflater) slot.deflater = std::make_unique<archive::MemberDeflater>();
    if (const auto deflated = slot.deflater->deflate(slot.member)) slot.bytes = *deflated;
  }

  void hash_files(const Slot& slot) {
    for (const auto& job : slot.jobs) {
      for (auto piece = job.first; piece < job.last; ++piece) m_hasher.update(slot.pieces[piece]);
      if (job.ends) m_digests[job.file] = m_hasher.finish();
    }
  }

  void write(const Slot& slot) {
    m_out.write_at(m_end, slot.bytes);
    m_end += slot.bytes.size();
    if (m_options.progress != nullptr) m_options.progress->advance(slot.member.size());
  }

  [[nodiscard]] ChecksumList checksum_list() const {
    std::vector<ChecksumList::Line> lines;
    for (std::size_t i = 0; i < m_digests.size(); ++i) lines.push_back({m_content.files[i].path, *m_digests[i]});
    const ChecksumList::Line manifest{fs::SafePath::parse(head::manifest), crypto::sha256(m_content.manifest_text)};
    const auto place =
        std::lower_bound(lines.begin(), lines.end(), manifest,
                         [](const ChecksumList::Line& a, const ChecksumList::Line& b) { return a.path < b.path; });
    lines.insert(place, manifest);
    return ChecksumList{std::move(lines)};
  }

  /// The package's own digest begins with the head, which is known only now: so it is read back from the page cache
  /// while the disk is busy with making it durable.
  Digest sync_and_hash() {
    int sync_error = 0;
    std::thread syncing{[&] { sync_error = ::fsync(m_out.fd()) == 0 ? 0 : errno; }};
    std::optional<Digest> digest;
    std::exception_ptr error;
    try {
      digest = hash_output();
    } catch (...) {
      error = std::current_exception();
    }
    syncing.join();
    if (error) std::rethrow_exception(error);
    if (sync_error != 0) fs::throw_errno("write", "the package", sync_error);
    return *std::move(digest);
  }

  Digest hash_output() {
    struct Buffer {
      Bytes bytes = Bytes(std::size_t{512} << 10U);
      std::size_t size = 0;
    };
    std::array<Buffer, 4> buffers;
    std::uint64_t offset = 0;
    Pipeline pipeline{buffers.size(), [&](std::size_t i) {
                        buffers[i].size = read_back(buffers[i].bytes, offset);
                        offset += buffers[i].size;
                        return buffers[i].size > 0;
                      }};
    pipeline.add(Pipeline::Order::serial,
                 [&](std::size_t i) { m_hasher.update(ByteView{buffers[i].bytes}.first(buffers[i].size)); });
    pipeline.run(Pipeline::default_workers());
    if (offset != m_end) throw Error{ErrorKind::unavailable, "the package changed while it was written: try again"};
    return m_hasher.finish();
  }

  std::size_t read_back(MutableBytes buffer, std::uint64_t offset) const {
    while (true) {
      const auto count = ::pread(m_out.fd(), buffer.data(), buffer.size(), static_cast<off_t>(offset));
      if (count >= 0) return static_cast<std::size_t>(count);
      if (errno != EINTR) fs::throw_errno("read", "the package", errno);
    }
  }

  fs::AtomicFile& m_out;
  const PackageContent& m_content;
  const WriteOptions& m_options;
  Body m_body;
  std::uint64_t m_head_size;
  std::uint64_t m_end;  ///< of the file so far
  std::vector<std::optional<Digest>> m_digests;
  crypto::Hasher m_hasher;
  std::array<Slot, slots> m_slots;
};

}  // namespace

WrittenPackage write_package(fs::AtomicFile& out, const PackageContent& content, InputFiles& input,
                             const WriteOptions& options) {
  return std::make_unique<Writer>(out, content, input, options)->run();
}

}  // namespace capsule
