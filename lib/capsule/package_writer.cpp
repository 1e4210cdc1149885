#include "capsule/package_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <mutex>

#include "archive/gzip_member.hpp"
#include "archive/pipeline.hpp"
#include "archive/tar_format.hpp"
#include "capsule/body.hpp"
#include "capsule/head.hpp"
#include "capsule/package_head.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "fs/direct_sink.hpp"

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
    std::optional<fs::DirectSink> direct;
    Sink* sink = &m_out;
    if (m_head_size + m_body.size() >= fs::DirectSink::worthwhile_bytes) sink = &direct.emplace(m_out);
    sink->write(Bytes(static_cast<std::size_t>(m_head_size)));  // its place
    write_body(*sink);
    if (direct) direct->finish();
    auto files = checksum_list();
    const auto checksums = files.text();
    const auto head = archive::encode_stored(head_tar(m_content.signature, checksums, m_content.manifest_text));
    if (head.size() != m_head_size) throw std::logic_error{"the head of the package has another size than planned"};
    m_out.write_at(0, head);
    return {std::move(files), crypto::sha256(checksums), m_end};
  }

 private:
  struct Slot {
    archive::StoredMember member;
    std::vector<MutableBytes> pieces;
    std::vector<Body::Job> jobs;
  };

  void write_body(Sink& sink) {
    constexpr auto serial = Pipeline::Order::serial;
    Pipeline pipeline{
        slots, [this](std::size_t i) { return m_body.fill(m_slots[i].member, m_slots[i].pieces, m_slots[i].jobs); }};
    const auto hashed = pipeline.add(serial, [this](std::size_t i) { hash_files(m_slots[i]); });
    // A member is deflated in its place, so its content must have been hashed before.
    const bool deflates = m_options.compression == Compression::automatic;
    const auto encoded = pipeline.add(
        Pipeline::Order::parallel, [this](std::size_t i) { encode(m_slots[i]); },
        deflates ? std::vector{hashed} : std::vector<Pipeline::StageId>{});
    pipeline.add(serial, [&](std::size_t i) { write(m_slots[i], sink); }, {encoded});
    pipeline.run(Pipeline::default_workers());
  }

  void encode(Slot& slot) {
    slot.member.finish();
    if (m_options.compression == Compression::store) return;
    auto deflater = take_deflater();
    deflater->deflate(slot.member);
    const std::lock_guard lock{m_mutex};
    m_deflaters.push_back(std::move(deflater));
  }

  /// One that is idle, or a new one: there are no more of them than threads.
  std::unique_ptr<archive::MemberDeflater> take_deflater() {
    const std::lock_guard lock{m_mutex};
    if (m_deflaters.empty()) return std::make_unique<archive::MemberDeflater>();
    auto deflater = std::move(m_deflaters.back());
    m_deflaters.pop_back();
    return deflater;
  }

  void hash_files(const Slot& slot) {
    for (const auto& job : slot.jobs) {
      for (auto piece = job.first; piece < job.last; ++piece) m_hasher.update(slot.pieces[piece]);
      if (job.ends) m_digests[job.file] = m_hasher.finish();
    }
  }

  void write(const Slot& slot, Sink& sink) {
    sink.write(slot.member.bytes());
    m_end += slot.member.bytes().size();
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

  fs::AtomicFile& m_out;
  const PackageContent& m_content;
  const WriteOptions& m_options;
  Body m_body;
  std::uint64_t m_head_size;
  std::uint64_t m_end;  ///< of the file so far
  std::vector<std::optional<Digest>> m_digests;
  crypto::Hasher m_hasher;
  std::array<Slot, slots> m_slots;
  std::mutex m_mutex;
  std::vector<std::unique_ptr<archive::MemberDeflater>> m_deflaters;  ///< idle; guarded by m_mutex
};

}  // namespace

WrittenPackage write_package(fs::AtomicFile& out, const PackageContent& content, InputFiles& input,
                             const WriteOptions& options) {
  return std::make_unique<Writer>(out, content, input, options)->run();
}

}  // namespace capsule
