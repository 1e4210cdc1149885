#include "image/base_image.hpp"

#include <catch2/catch.hpp>

#include "archive/gzip_member.hpp"
#include "crypto/hash.hpp"
#include "oci/media_types.hpp"
#include "support/tar_text.hpp"

using namespace capsule;
using image::BaseImage;

namespace {

BaseImage read(const std::string& tarball, std::string_view architecture = "amd64",
               const image::TarballLimits& limits = {}) {
  image::BaseImageReader reader{limits};
  for (std::size_t at = 0; at < tarball.size(); at += 1000) {
    reader.write(as_bytes(std::string_view{tarball}.substr(at, 1000)));
  }
  return reader.finish(architecture);
}

ErrorKind refusal(const std::string& tarball, std::string_view architecture = "amd64",
                  const image::TarballLimits& limits = {}) {
  try {
    (void)read(tarball, architecture, limits);
  } catch (const Error& error) {
    INFO(error.message());
    CHECK(error.message().starts_with("capsule.tarball"));
    return error.kind();
  }
  FAIL("an error is wanted");
  throw;
}

std::string gzipped(const std::string& text) {
  return std::string{as_text(archive::encode_stored(as_bytes(text)))};
}

std::string digest(const std::string& text) {
  return crypto::sha256(text).text();
}

std::string hex(const std::string& text) {
  return std::string{crypto::sha256(text).hex()};
}

const std::string layer = TarText{}.file("etc/motd", "hello").text();
const std::string second = TarText{}.file("etc/other", std::string(3000, 'x')).text();

std::string config_of(const std::vector<std::string>& layers, const std::string& architecture = "amd64") {
  std::string ids;
  for (const auto& one : layers) ids += fmt::format("{}\"{}\"", ids.empty() ? "" : ",", digest(one));
  return fmt::format(
      R"({{"architecture":"{}","os":"linux","created":"2020-01-01T00:00:00Z","config":{{"Env":["A=b","PATH=/bin"],)"
      R"("Labels":{{"l":"m"}},"StopSignal":"SIGINT","Entrypoint":["/bin/sh"],"Volumes":null}},)"
      R"("rootfs":{{"type":"layers","diff_ids":[{}]}}}})",
      architecture, ids);
}

/// An OCI layout, part by part, so that each test can spoil one.
struct Layout {
  std::string architecture = "amd64";
  std::vector<std::string> layers{layer, second};
  std::string layer_type = std::string{oci::media_type::layer_gzip};
  std::string index_platform;  ///< JSON, with its comma
  std::size_t size_lie = 0;
  std::string config;
  std::string other_entry;  ///< of the index, JSON with its comma
  std::string broken_blob;  ///< content that is replaced

  [[nodiscard]] std::string text() const {
    TarText tar;
    tar.file("oci-layout", R"({"imageLayoutVersion":"1.0.0"})").folder("blobs/").folder("blobs/sha256/");
    const auto blob = [&](const std::string& content) {
      tar.file("blobs/sha256/" + hex(content), content == broken_blob ? content + "x" : content);
    };
    const auto real_config = config.empty() ? config_of(layers, architecture) : config;
    std::string list;
    for (const auto& one : layers) {
      const auto stored = gzipped(one);
      blob(stored);
      list += fmt::format(R"({}{{"mediaType":"{}","digest":"{}","size":{}}})", list.empty() ? "" : ",", layer_type,
                          digest(stored), stored.size() + size_lie);
    }
    blob(real_config);
    const auto manifest = fmt::format(
        R"({{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"{}","digest":"{}","size":{}}},"layers":[{}]}})",
        oci::media_type::image_manifest, oci::media_type::image_config, digest(real_config), real_config.size(), list);
    blob(manifest);
    tar.file(
        "index.json",
        fmt::format(R"({{"schemaVersion":2,"manifests":[{{"mediaType":"{}","digest":"{}","size":{}{}}}{}]}})",
                    oci::media_type::image_manifest, digest(manifest), manifest.size(), index_platform, other_entry));
    return tar.text();
  }
};

std::string layout_of(std::vector<std::string> layers) {
  Layout out;
  out.layers = std::move(layers);
  return out.text();
}

std::string docker_archive(const std::string& config, const std::string& layers_json) {
  return TarText{}
      .file("abc/layer.tar", layer)
      .symlink("def/layer.tar", "../abc/layer.tar")
      .file("ghi/layer.tar", second)
      .file(hex(config) + ".json", config)
      .file("manifest.json",
            fmt::format(R"([{{"Config":"{}.json","RepoTags":["x:1"],"Layers":{}}}])", hex(config), layers_json))
      .text();
}

std::vector<std::string> contents(const std::string& tarball, const BaseImage& image) {
  std::vector<std::string> out;
  ViewSource source{as_bytes(tarball)};
  image::copy_base_layers(
      source, image, [](const auto&) { return true; },
      [&](const oci::Descriptor& descriptor, Source& content) {
        StringSink sink{1U << 20U};
        copy(content, sink);
        CHECK(crypto::sha256(sink.text()) == descriptor.digest);
        CHECK(sink.text().size() == descriptor.size);
        out.push_back(sink.take());
      });
  return out;
}

}  // namespace

TEST_CASE("a tar of a file system is one layer, as it is") {
  const auto tarball = TarText{}
                           .folder("./")
                           .file("./etc/motd", "hi")
                           .file("manifest.json", R"({"name":"an app"})")
                           .file("usr/data.json", "not json")
                           .symlink("bin", "/usr/bin")
                           .symlink("usr/lib/x", "../../lib/y")
                           .hardlink("etc/again", "etc/motd")
                           .device("dev/null", 1)
                           .text();
  const auto image = read(tarball);
  CHECK(image.form == BaseImage::Form::file_system);
  REQUIRE(image.layers.size() == 1);
  CHECK(image.layers[0].descriptor.digest == crypto::sha256(tarball));
  CHECK(image.layers[0].descriptor.size == tarball.size());
  CHECK(image.layers[0].descriptor.media_type == oci::media_type::layer_tar);
  CHECK(image.layers[0].diff_id == crypto::sha256(tarball));
  CHECK(contents(tarball, image) == std::vector<std::string>{tarball});

  const auto compressed = gzipped(tarball);
  const auto other = read(compressed);
  CHECK(other.layers[0].descriptor.digest == crypto::sha256(compressed));
  CHECK(other.layers[0].descriptor.media_type == oci::media_type::layer_gzip);
  CHECK(other.layers[0].diff_id == crypto::sha256(tarball));
  CHECK(contents(compressed, other) == std::vector<std::string>{compressed});
}

TEST_CASE("a file system that reaches out, and what is no tar, is refused") {
  for (const auto& bad :
       {TarText{}.symlink("x", "../etc/passwd").text(), TarText{}.symlink("a/x", "../../etc").text(),
        TarText{}.hardlink("x", "/etc/passwd").text(), TarText{}.hardlink("x", "../y").text(),
        TarText{}.file("../x", "y").text(), TarText{}.file("/x", "y").text(), TarText{}.device("sda", 8).text(),
        TarText{}.entry("fifo", '6').text(), TarText{}.entry("disk", '4').text(), std::string{"hello"}, std::string{},
        gzipped("hello"), gzipped(layer).substr(0, 300), gzipped(layer) + "x"}) {
    CHECK(refusal(bad) == ErrorKind::invalid_input);
  }
  image::TarballLimits few;
  few.entries = 1;
  CHECK(refusal(TarText{}.file("a", "").file("b", "").text(), "amd64", few) == ErrorKind::invalid_input);
  image::TarballLimits small;
  small.decompress = {.bytes = 100};
  CHECK(refusal(gzipped(layer), "amd64", small) == ErrorKind::invalid_input);
}

TEST_CASE("an OCI layout gives the layers, environment, labels and signal of its one image") {
  const auto tarball = Layout{}.text();
  const auto image = read(tarball);
  CHECK(image.form == BaseImage::Form::oci_layout);
  REQUIRE(image.layers.size() == 2);
  CHECK(image.layers[0].descriptor.digest == crypto::sha256(gzipped(layer)));
  CHECK(image.layers[0].diff_id == crypto::sha256(layer));
  CHECK(image.layers[1].diff_id == crypto::sha256(second));
  CHECK(image.environment == std::vector<std::string>{"A=b", "PATH=/bin"});
  CHECK(image.labels.at("l") == "m");
  CHECK(image.stop_signal == "SIGINT");
  CHECK(contents(tarball, image) == std::vector<std::string>{gzipped(layer), gzipped(second)});
  const auto compressed = gzipped(tarball);
  CHECK(contents(compressed, read(compressed)).size() == 2);
}

TEST_CASE("of several images that for the capsule's platform is taken") {
  Layout arm;
  arm.architecture = "arm64";
  CHECK(read(arm.text(), "arm64").layers.size() == 2);
  CHECK(refusal(arm.text(), "amd64") == ErrorKind::invalid_input);
  Layout said;
  said.index_platform = R"(,"platform":{"os":"linux","architecture":"arm64"})";
  CHECK(refusal(said.text()) == ErrorKind::invalid_input);
  Layout more;
  more.other_entry = fmt::format(
      R"(,{{"mediaType":"{}","digest":"{}","size":1,"platform":{{"os":"unknown","architecture":"unknown"}}}})",
      oci::media_type::image_manifest, digest("absent"));
  CHECK(read(more.text()).layers.size() == 2);  // what is for others need not even be there
}

TEST_CASE("an OCI layout whose parts are not what is said of them is refused") {
  Layout size;
  size.size_lie = 1;
  CHECK(refusal(size.text()) == ErrorKind::verification_failed);
  Layout type;
  type.layer_type = oci::media_type::layer_tar;
  CHECK(refusal(type.text()) == ErrorKind::invalid_input);
  type.layer_type = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
  CHECK(refusal(type.text()) == ErrorKind::invalid_input);
  Layout ids;
  ids.config = config_of({second, layer});
  CHECK(refusal(ids.text()) == ErrorKind::verification_failed);
  ids.config = config_of({layer});
  CHECK(refusal(ids.text()) == ErrorKind::invalid_input);
  ids.config = "[]";
  CHECK(refusal(ids.text()) == ErrorKind::invalid_input);
  for (const auto& content : {gzipped(layer), config_of({layer, second})}) {
    Layout broken;
    broken.broken_blob = content;
    CHECK_THROWS_AS(read(broken.text()), Error);
  }
  Layout missing;
  missing.other_entry =
      fmt::format(R"(,{{"mediaType":"{}","digest":"{}","size":1}})", oci::media_type::image_manifest, digest("absent"));
  CHECK(refusal(missing.text()) == ErrorKind::invalid_input);
}

TEST_CASE("a docker archive gives its layers, through links inside") {
  const auto config = config_of({layer, layer, second});
  const auto tarball = docker_archive(config, R"(["abc/layer.tar","def/layer.tar","ghi/layer.tar"])");
  const auto image = read(tarball);
  CHECK(image.form == BaseImage::Form::docker_archive);
  REQUIRE(image.layers.size() == 3);
  CHECK(image.layers[1].descriptor.digest == crypto::sha256(layer));
  CHECK(image.layers[2].descriptor.media_type == oci::media_type::layer_tar);
  CHECK(contents(tarball, image) == std::vector<std::string>{layer, second});
  CHECK(refusal(tarball, "arm64") == ErrorKind::invalid_input);
  CHECK(refusal(docker_archive(config, R"(["abc/layer.tar"])")) == ErrorKind::invalid_input);
  CHECK(refusal(docker_archive(config, R"(["ghi/layer.tar","abc/layer.tar","abc/layer.tar"])")) ==
        ErrorKind::verification_failed);
  CHECK(refusal(docker_archive(config, R"(["abc/layer.tar","abc/layer.tar","../ghi/layer.tar"])")) ==
        ErrorKind::invalid_input);
  CHECK(refusal(docker_archive(config, R"(["abc/layer.tar","abc/layer.tar","gone"])")) == ErrorKind::invalid_input);
}

TEST_CASE("layers inside of an image are looked into as a file system is") {
  using namespace std::string_view_literals;
  CHECK(refusal(layout_of({"hello"})) == ErrorKind::invalid_input);
  CHECK(refusal(layout_of({layer, R"({"no":"tar"})"})) == ErrorKind::invalid_input);
  for (const auto& bad :
       {TarText{}.file("../x", "").text(), TarText{}.file("/x", "").text(),
        TarText{}.symlink("a", "/etc").file("a/passwd", "").text(), TarText{}.file("a", "").file("a/b", "").text(),
        TarText{}.file("a/b", "").symlink("a", "/etc").text(), TarText{}.symlink("x", "../y").text(),
        TarText{}.hardlink("x", "gone").text(), TarText{}.hardlink("x", "../y").text(),
        TarText{}.file("a", "1").file("a", "2").text(), TarText{}.device("sda", 8).text(),
        TarText{}.entry("fifo", '6').text(), TarText{}.pax("path", "a\0b"sv).file("a", "").text(),
        TarText{}.pax("GNU.sparse.realsize", "1099511627776").file("a", "x").text(),
        TarText{}.file("a", std::string(5000, 'x')).text().substr(0, 2000)}) {
    CHECK(refusal(layout_of({layer, bad})) == ErrorKind::invalid_input);
    const auto config = config_of({bad});
    CHECK(refusal(TarText{}
                      .file(hex(config) + ".json", config)
                      .file("l.tar", bad)
                      .file("manifest.json", fmt::format(R"([{{"Config":"{}.json","Layers":["l.tar"]}}])", hex(config)))
                      .text()) == ErrorKind::invalid_input);
    CHECK(refusal(bad) == ErrorKind::invalid_input);  // as a file system
  }
  const auto fine = TarText{}
                        .folder("a")
                        .file("a/.wh.gone", "")
                        .file("[", "no JSON")
                        .folder("a")
                        .file("a/b", "")
                        .hardlink("a/c", "a/b")
                        .symlink("d", "a")
                        .hardlink("e", "d")
                        .text();
  CHECK(read(layout_of({fine, TarText{}.text()})).layers.size() == 2);
}

TEST_CASE("what looks like an image and is broken is no file system") {
  const auto name = std::string(64, 'a');
  for (const auto& bad :
       {TarText{}.file("manifest.json", "[]").text(), TarText{}.file("manifest.json", "{}").text(),
        TarText{}.file("manifest.json", " { } \n").text(), TarText{}.file("manifest.json", "[{}]").text(),
        TarText{}.file("manifest.json", R"([{"Config":"x.json")").text(),
        TarText{}.file("manifest.json", R"({"a":1})").file(name + "/layer.tar", layer).text(),
        TarText{}.file("oci-layout", R"({"imageLayoutVersion":"1.0.0"})").text(),
        TarText{}.file("oci-layout", R"({"imageLayoutVersion":"2.0.0"})").file("index.json", "{}").text(),
        TarText{}.file("index.json", R"({"schemaVersion":2,"manifests":[]})").file("blobs/sha256/" + name, "").text(),
        TarText{}.file("blobs/sha256/" + name, layer).text(), TarText{}.file(name + "/layer.tar", layer).text(),
        TarText{}.symlink(name + "/layer.tar", "../x/layer.tar").text()}) {
    CHECK(refusal(bad) == ErrorKind::invalid_input);
  }
  for (const auto& files : {TarText{}.file("index.json", "{}").text(), TarText{}.file("blobs/x", "{}").text(),
                            TarText{}.file("a/layer.tar", layer).text(), TarText{}.file("manifest.json", "x").text()}) {
    CHECK(read(files).form == BaseImage::Form::file_system);
  }
}

TEST_CASE("an image tarball with links out or an entry twice is refused") {
  const auto config = config_of({layer});
  const auto with = [&](TarText& tar) {
    return tar.file(hex(config) + ".json", config)
        .file("manifest.json", fmt::format(R"([{{"Config":"{}.json","Layers":["l.tar"]}}])", hex(config)))
        .text();
  };
  TarText good;
  CHECK(read(with(good.file("l.tar", layer))).layers.size() == 1);
  TarText twice;
  CHECK(refusal(with(twice.file("l.tar", layer).file("l.tar", layer))) == ErrorKind::invalid_input);
  TarText out;
  CHECK(refusal(with(out.symlink("l.tar", "/etc/passwd"))) == ErrorKind::invalid_input);
  TarText climbing;
  CHECK(refusal(with(climbing.symlink("l.tar", "../l.tar"))) == ErrorKind::invalid_input);
  TarText loop;
  CHECK(refusal(with(loop.symlink("l.tar", "m.tar").symlink("m.tar", "l.tar"))) == ErrorKind::invalid_input);
  TarText much;
  image::TarballLimits limits;
  limits.text_bytes = 100;
  CHECK(refusal(with(much.file("l.tar", layer)), "amd64", limits) == ErrorKind::invalid_input);
}

TEST_CASE("a reader that is given up ends, with an error or without asking for the rest") {
  {
    image::BaseImageReader reader;
    reader.write(as_bytes(layer));
  }
  image::BaseImageReader reader;
  const std::string junk(std::size_t{8} << 20U, 'x');
  reader.write(as_bytes(junk));  // more than the pipe holds: the reader has stopped long ago
  CHECK_THROWS_AS(reader.finish("amd64"), Error);
}
