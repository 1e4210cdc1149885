#include <catch2/catch.hpp>

#include <fmt/format.h>

#include <fstream>

#include "archive/gzip_member.hpp"
#include "capsule/canonical_package.hpp"
#include "support/sample_package.hpp"

using namespace capsule;  // NOLINT

namespace {

std::string read(const fs::Path& path) {
  return fs::read_file(path, std::size_t{1} << 30U);
}

std::string sha256_hex(std::string_view text) {
  return std::string{crypto::sha256(text).hex()};
}

/// Notes what passes.
class Notes final : public PackageObserver {
 public:
  void begin_file(const fs::SafePath& path, std::uint64_t size, bool executable) override {
    text += fmt::format("{}{} {}\n", path.text(), executable ? "*" : "", size);
  }
  void file_bytes(ByteView bytes) override { content.append(as_text(bytes)); }
  std::string text;
  std::string content;
};

}  // namespace

TEST_CASE("a packed folder, signed, verifies; all facts are those of the files") {
  const sample::Package package;
  Notes notes;
  const auto capsule = sample::verify(package.signed_package(), package.key(), {.observer = &notes});
  CHECK(capsule.manifest().name == "sample");
  CHECK(capsule.manifest_text() == sample::manifest);
  CHECK(capsule.files().lines().size() == sample::files().size());
  CHECK(capsule.files().find("scripts/install.sh")->hex() == sha256_hex("#!/bin/sh\n"));
  CHECK(capsule.capsule_digest() == package.packed->capsule_digest);
  CHECK(capsule.capsule_digest().hex() == sha256_hex(capsule.files().text()));
  const auto bytes = read(package.signed_package());
  CHECK(capsule.package_digest().hex() == sha256_hex(bytes));
  CHECK(capsule.package_size() == bytes.size());
  CHECK(capsule.signers().front().id() == package.key().id());
  CHECK(capsule.is_canonical());
  const auto signature_size = capsule.signature().size();
  CHECK(notes.text == fmt::format("signature.sig {}\nchecksum.sha256 {}\ncapsule.json {}\ncapsule.tarball 1000\n"
                                  "expansion/empty 0\nexpansion/model.bin 3000000\nexpansion/run.sh* 20\n"
                                  "scripts/install.sh* 10\n",
                                  signature_size, capsule.files().text().size(), sample::manifest.size()));
  CHECK(notes.content.ends_with("#!/bin/sh\necho '{}'\n#!/bin/sh\n"));
  CHECK(package.packed->package_size == read(package.packed->package).size());
}

TEST_CASE("segments: pieces of the file, with digests of their bytes and of what they unpack to") {
  const auto compression = GENERATE(Compression::store, Compression::automatic);
  auto files = sample::files();
  files["expansion/large.bin"] = std::string(5'000'000, 'l');
  const sample::Package package{files, compression};
  const auto capsule =
      sample::verify(package.signed_package(), package.key(), {.segment_digests = SegmentDigests::yes});
  REQUIRE(capsule.is_canonical());
  const auto bytes = read(package.signed_package());
  std::uint64_t offset = 0;
  std::string roles;
  for (const auto& segment : capsule.segments()) {
    CHECK(segment.offset == offset);
    offset += segment.size;
    CHECK(segment.digest->hex() == sha256_hex(bytes.substr(segment.offset, segment.size)));
    roles += std::to_string(static_cast<int>(segment.role));
    const auto* const command =
        "dd if={} bs=1M iflag=skip_bytes,count_bytes skip={} count={} status=none | gunzip | sha256sum";
    const auto shell =
        fmt::format(fmt::runtime(command), package.signed_package().string(), segment.offset, segment.size);
    std::unique_ptr<FILE, int (*)(FILE*)> pipe{::popen(shell.c_str(), "r"), ::pclose};
    std::array<char, 64> hex{};
    REQUIRE(::fread(hex.data(), 1, 64, pipe.get()) == 64);
    CHECK(segment.diff_id->hex() == std::string_view{hex.data(), 64});
  }
  CHECK(offset == bytes.size());
  CHECK(roles == "012223");  // head, tarball, three of files, end
  CHECK((compression == Compression::automatic) == (bytes.size() < 100'000));
}

TEST_CASE("check_package gives the digests of the package that it writes with another head") {
  const sample::Package package;
  const auto& facts = *package.signed_facts;
  const auto capsule =
      sample::verify(package.signed_package(), package.key(), {.segment_digests = SegmentDigests::yes});
  CHECK(facts.canonical);
  CHECK(facts.package_digest == capsule.package_digest());
  CHECK(facts.package_size == capsule.package_size());
  CHECK(facts.head.signature == capsule.signature());

  fs::FileSource source{package.packed->package};
  CheckOptions options;
  options.segment_digests = SegmentDigests::yes;
  options.sign = [&](const PackageHead&) { return capsule.signature(); };
  const auto again = check_package(source, options);
  CHECK(again.package_digest == capsule.package_digest());
  REQUIRE(again.segments.size() == capsule.segments().size());
  for (std::size_t i = 0; i < again.segments.size(); ++i) {
    CHECK(again.segments[i].offset == capsule.segments()[i].offset);
    CHECK(again.segments[i].digest == capsule.segments()[i].digest);
    CHECK(again.segments[i].diff_id == capsule.segments()[i].diff_id);
  }
}

TEST_CASE("a signature in the package is replaced, and kept where it is the same") {
  const sample::Package package;
  const auto before = read(package.signed_package());
  const auto sign_with = [&](const Bytes& signature) {
    fs::FileSource source{package.signed_package()};
    StringSink out{std::size_t{1} << 30U};
    CheckOptions options;
    options.sign = [&](const PackageHead&) { return signature; };
    options.output = &out;
    check_package(source, options);
    return out.take();
  };
  CHECK(sign_with(*package.signed_facts->head.signature) == before);
  const auto other = sign_with(Bytes(3000, std::byte{1}));
  CHECK(other.size() > before.size());
  ViewSource source{as_bytes(other)};
  CHECK(read_package_head(source).signature == Bytes(3000, std::byte{1}));
}

TEST_CASE("a head of several members is swapped too") {
  auto files = sample::files();
  for (int i = 0; i < 12'000; ++i) files[fmt::format("expansion/many/{:080}", i)] = "";
  const sample::Package package{files};
  const auto capsule =
      sample::verify(package.signed_package(), package.key(), {.segment_digests = SegmentDigests::yes});
  CHECK(capsule.is_canonical());
  CHECK(capsule.segments().front().size > archive::max_member_bytes);
  CHECK(capsule.package_digest() == package.signed_facts->package_digest);
}

TEST_CASE("where a segment ends is found also when all members are whole, whatever the threshold") {
  // Header and content of each file fill whole members, so that only the threshold says where segments end.
  const auto count = GENERATE(3, 100);
  sample::Files files = sample::files();
  for (int i = 0; i < count; ++i)
    files[fmt::format("expansion/w{:03}", i)] =
        std::string((std::size_t{4} << 20U) + (std::size_t{1} << 20U) - 512, 'w');
  const sample::Package package{files};
  const auto capsule =
      sample::verify(package.signed_package(), package.key(), {.segment_digests = SegmentDigests::yes});
  REQUIRE(capsule.is_canonical());
  CHECK(capsule.segments().size() == (count == 3 ? 8U : 4U));
  const auto bytes = read(package.signed_package());
  for (const auto& segment : capsule.segments())
    CHECK(segment.digest->hex() == sha256_hex(bytes.substr(segment.offset, segment.size)));
}

TEST_CASE("without the right key nothing is accepted") {
  const sample::Package package;
  const sample::Package other;
  CHECK(sample::error_kind([&] { sample::verify(package.signed_package(), other.key()); }) == "verification_failed");
  CHECK(sample::error_kind([&] { sample::verify(package.packed->package, package.key()); }) == "verification_failed");
  fs::FileSource source{package.signed_package()};
  CHECK(sample::error_kind([&] { verify_package(source, std::span<const crypto::PublicKey>{}); }) == "usage");
  const std::vector keys{other.key(), package.key()};
  fs::FileSource again{package.signed_package()};  // one of several keys is enough
  CHECK(verify_package(again, keys).signers().front().id() == package.key().id());
}

TEST_CASE("a package that is not signed rightly is refused before its files are seen") {
  const sample::Package package;
  const sample::Package other;
  Notes notes;
  CHECK_THROWS_AS(sample::verify(package.signed_package(), other.key(), {.observer = &notes}), Error);
  CHECK(notes.text.find("model") == std::string::npos);
}

TEST_CASE("any flipped bit is found, any missing or added byte too") {
  const sample::Package package;
  const auto good = read(package.signed_package());
  const auto verify_bytes = [&](const std::string& bytes) {
    ViewSource source{as_bytes(bytes)};
    const auto key = package.key();
    return sample::error_kind([&] { verify_package(source, std::span{&key, 1}); });
  };
  REQUIRE(verify_bytes(good) == "none");
  for (std::size_t i = 0; i < 200; ++i) {
    auto bad = good;
    const auto at = i < 100 ? i * 7 : i * good.size() / 200;
    bad[at] = static_cast<char>(bad[at] ^ (1 << (i % 8)));
    CAPTURE(at);
    const auto kind = verify_bytes(bad);
    CHECK((kind == "invalid_input" || kind == "verification_failed"));
  }
  for (std::size_t i = 0; i < 100; ++i) CHECK(verify_bytes(good.substr(0, i * good.size() / 100)) == "invalid_input");
  CHECK(verify_bytes(good + std::string(1, '\0')) == "invalid_input");
  CHECK(verify_bytes(good + good) == "invalid_input");
  CHECK(verify_bytes(good + std::string(100'000, '\0')) == "invalid_input");
}

TEST_CASE("limits hold") {
  const sample::Package package;
  const auto with = [&](const PackageLimits& limits) {
    return sample::error_kind([&] { sample::verify(package.signed_package(), package.key(), {.limits = limits}); });
  };
  CHECK(with({}) == "none");
  CHECK(with({.entries = 7}) == "invalid_input");
  CHECK(with({.entries = 8}) == "none");
  CHECK(with({.total_bytes = 2'000'000}) == "invalid_input");
  CHECK(with({.head_bytes = 300}) == "invalid_input");
  CHECK(sample::error_kind([&] {
          pack_folder(
              {package.folder(), (package.path() / "x").string(), Compression::store, {.total_bytes = 1000}, nullptr});
        }) == "invalid_input");
}

TEST_CASE("pack leaves alone what holds the capsule, and replaces what holds another") {
  const sample::Package package;
  const auto pack = [&](const fs::Path& out) {
    return pack_folder({package.folder(), out.string(), Compression::store, {}, nullptr});
  };
  const auto before = read(package.signed_package());
  auto result = pack(package.signed_package());  // the signature stays
  CHECK(result.already_there);
  CHECK(result.package_size == package.signed_facts->package_size);
  CHECK(read(package.signed_package()) == before);

  auto damaged = before;
  damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 1);
  const auto target = package.path() / "target.tar.gz";
  fs::write_file(target, damaged);
  result = pack(target);
  CHECK_FALSE(result.already_there);
  CHECK(read(target) == read(package.packed->package));

  fs::write_file(package.folder() / "scripts/install.sh", "#!/bin/sh\n#2");
  result = pack(target);
  CHECK_FALSE(result.already_there);
  CHECK(result.capsule_digest != package.packed->capsule_digest);

  fs::write_file(target, "something else");
  CHECK(sample::error_kind([&] { pack(target); }) == "conflict");
  CHECK(read(target) == "something else");
  fs::write_file(target, "");
  CHECK_FALSE(pack(target).already_there);
}

TEST_CASE("the package's name is canonical inside of a folder, and it cannot go into the folder itself") {
  const sample::Package package;
  const auto pack = [&](const std::string& out) {
    return pack_folder({package.folder(), out, Compression::store, {}, nullptr});
  };
  CHECK(pack(package.path().string()).package == package.path() / "capsule_sample-1.2.3.tar.gz");
  CHECK(pack((package.path() / "new/deep/").string()).package ==
        package.path() / "new/deep/capsule_sample-1.2.3.tar.gz");
  CHECK(sample::error_kind([&] { pack(package.folder().string()); }) == "usage");
  CHECK(sample::error_kind([&] { pack((package.folder() / "scripts/p.tar.gz").string()); }) == "usage");
  CHECK(sample::error_kind([&] { pack((package.path() / "missing/p.tar.gz").string()); }) == "not_found");
}

TEST_CASE("a folder without capsule.json or entrypoint is no capsule") {
  auto files = sample::files();
  files.erase(GENERATE("capsule.json", "expansion/run.sh"));
  const fs::TemporaryFolder temporary{fs::temporary_parent()};
  sample::write_files(temporary.path() / "folder", files);
  const auto kind = sample::error_kind([&] {
    pack_folder({temporary.path() / "folder", (temporary.path() / "p").string(), Compression::store, {}, nullptr});
  });
  CHECK(kind == (files.contains("capsule.json") ? "invalid_input" : "not_found"));
  CHECK_FALSE(std::filesystem::exists(temporary.path() / "p"));
}

TEST_CASE("signature.sig and checksum.sha256 of an unpacked package are made anew") {
  const sample::Package package;
  fs::write_file(package.folder() / "checksum.sha256", "stale");
  fs::write_file(package.folder() / "signature.sig", "stale");
  const auto result = pack_folder({package.folder(), (package.path() / "p").string(), Compression::store, {}, nullptr});
  CHECK(read(result.package) == read(package.packed->package));
  CHECK(result.skipped == std::vector<std::string>{"checksum.sha256", "signature.sig"});
}

TEST_CASE("a package of another tool becomes the canonical one, the signature still good") {
  const sample::Package package;
  const auto unpacked = package.path() / "unpacked";
  const auto foreign = package.path() / "foreign.tar.gz";
  const auto target = package.path() / "canonical.tar.gz";
  std::filesystem::create_directory(unpacked);
  REQUIRE(std::system(fmt::format("tar xzf {} -C {}", package.signed_package().string(), unpacked.string()).c_str()) ==
          0);
  REQUIRE(std::system(fmt::format("tar czf {} -C {} .", foreign.string(), unpacked.string()).c_str()) == 0);
  const auto capsule = sample::verify(foreign, package.key());
  CHECK_FALSE(capsule.is_canonical());
  CHECK(capsule.segments().empty());
  fs::FileSource source{foreign};
  const auto written = write_canonical(source, capsule.capsule_digest(), target);
  CHECK(written.package_size == package.signed_facts->package_size);
  CHECK(read(target) == read(package.signed_package()));

  fs::FileSource again{foreign};
  CHECK(sample::error_kind([&] { write_canonical(again, crypto::sha256("another"), package.path() / "no"); }) ==
        "verification_failed");
  CHECK_FALSE(std::filesystem::exists(package.path() / "no"));
}
