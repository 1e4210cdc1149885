#include "capsule/package_head.hpp"

#include "archive/foreign_gzip.hpp"
#include "archive/gzip_member.hpp"
#include "archive/tar_format.hpp"
#include "archive/tar_reader.hpp"
#include "capsule/content_judge.hpp"
#include "capsule/head.hpp"
#include "core/error.hpp"

namespace capsule {

namespace {

/// What a package unpacks to, a piece at a time.
class Unpacker {
 public:
  explicit Unpacker(Source& package) : m_package(package), m_raw(archive::max_member_bytes) {
    m_front.resize(archive::member_header_bytes);
    m_front.resize(read_fully(package, m_front));
    if (!archive::parse_member_header(m_front)) m_foreign.emplace(m_front, package);
  }

  /// Gives the next piece to `tar`; false at the end.
  bool feed(archive::TarReader& tar) {
    if (m_foreign) {
      const auto count = m_foreign->read(m_raw);
      tar.feed(ByteView{m_raw}.first(count));
      return count > 0;
    }
    if (m_front.empty()) m_front.resize(read_header());
    if (m_front.empty()) return false;
    const auto sizes = archive::parse_member_header(m_front);
    if (!sizes) throw Error{ErrorKind::invalid_input, "the package has bytes that are no gzip member of a package"};
    std::copy(m_front.begin(), m_front.end(), m_raw.begin());
    const auto rest = MutableBytes{m_raw}.subspan(m_front.size(), sizes->member - m_front.size());
    if (read_fully(m_package, rest) < rest.size()) throw Error{ErrorKind::invalid_input, "the package is cut off"};
    m_decoder.decode(ByteView{m_raw}.first(sizes->member), *sizes, m_decoded);
    for (const auto piece : m_decoded.pieces) tar.feed(piece);
    m_front.clear();
    return true;
  }

 private:
  std::size_t read_header() {
    m_front.resize(archive::member_header_bytes);
    return read_fully(m_package, m_front);
  }

  Source& m_package;
  Bytes m_raw;
  Bytes m_front;
  std::optional<archive::ForeignGzip> m_foreign;
  archive::MemberDecoder m_decoder;
  archive::DecodedMember m_decoded;
};

}  // namespace

PackageHead read_package_head(Source& package, const PackageLimits& limits) {
  ContentJudge judge{{limits, nullptr, ContentJudge::Signature::optional, {}}};
  archive::TarReader tar{judge};
  Unpacker unpacker{package};
  while (judge.head() == nullptr && unpacker.feed(tar)) {
    if (tar.offset() > limits.total_bytes)
      throw Error{ErrorKind::invalid_input, "the package unpacks to more than the limit"};
  }
  if (judge.head() == nullptr) {
    tar.finish();
    judge.finish();
  }
  return judge.take_head();
}

Bytes head_tar(const std::optional<Bytes>& signature, std::string_view checksums, std::string_view manifest) {
  Bytes tar;
  if (signature) archive::append_tar_entry(tar, fs::SafePath::parse(head::signature), *signature);
  archive::append_tar_entry(tar, fs::SafePath::parse(head::checksums), as_bytes(checksums));
  archive::append_tar_entry(tar, fs::SafePath::parse(head::manifest), as_bytes(manifest));
  return tar;
}

}  // namespace capsule
