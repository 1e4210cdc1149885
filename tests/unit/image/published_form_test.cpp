#include "image/published_form.hpp"

#include <catch2/catch.hpp>

#include "crypto/hash.hpp"
#include "fs/temporary.hpp"
#include "image/published_package.hpp"
#include "json/parse.hpp"
#include "oci/media_types.hpp"
#include "oci/store.hpp"

using namespace capsule;

namespace {

Segment segment(Segment::Role role, const std::string& content) {
  return {role, 0, content.size(), 1024, crypto::sha256(content), crypto::sha256("tar of " + content)};
}

image::PackageFacts facts_of(const std::string& manifest) {
  image::PackageFacts out{parse_manifest(manifest),
                          crypto::sha256("capsule"),
                          crypto::sha256("package"),
                          {segment(Segment::Role::head, "head"), segment(Segment::Role::tarball, "tarball"),
                           segment(Segment::Role::files, "files"), segment(Segment::Role::end, "end")},
                          image::Start::itself,
                          {}};
  out.base.layers.push_back(
      {{std::string{oci::media_type::layer_tar}, crypto::sha256("base"), 4, {}, {}, {}}, crypto::sha256("base"), {}});
  out.base.environment = {"A=b"};
  out.base.labels = {{"l", "m"}, {"ai.industriverse.capsule.name", "a lie"}};
  return out;
}

const std::string manifest = R"({"name":"x","version":"1.0.0","entrypoint":"run.py","requirements":["arch:arm64"],
  "proof_policy":{"required":false,"types":[]},"prewarm":false})";

json::Value parsed(const image::Document& document) {
  CHECK(document.descriptor.digest == crypto::sha256(document.bytes));
  CHECK(document.descriptor.size == document.bytes.size());
  return json::parse(document.bytes, "document");
}

std::string text_at(const json::Value& value, std::string_view pointer) {
  const auto* found = value.at_pointer(pointer);
  REQUIRE(found != nullptr);
  return *found->if_string();
}

}  // namespace

TEST_CASE("the package's manifest has the segments in order, titled; the image's has the base and the rest") {
  const auto form = image::published_form(facts_of(manifest));
  const auto package = parsed(form.package_manifest);
  CHECK(package.at_pointer("/layers")->if_array()->size() == 4);
  CHECK(text_at(package, "/artifactType") == oci::media_type::capsule);
  CHECK(text_at(package, "/layers/3/annotations/org.opencontainers.image.title") == "capsule_x-1.0.0.tar.gz.003");
  CHECK(text_at(package, "/layers/1/digest") == crypto::sha256("tarball").text());
  CHECK(text_at(package, "/config/digest") == form.package_config.descriptor.digest.text());
  CHECK(text_at(parsed(form.package_config), "/rootfs/diff_ids/1") == crypto::sha256("tar of tarball").text());
  const auto runnable = parsed(form.image_manifest);
  CHECK(runnable.at_pointer("/layers")->if_array()->size() == 4);
  CHECK(text_at(runnable, "/layers/0/digest") == crypto::sha256("base").text());
  CHECK(text_at(runnable, "/layers/2/digest") == crypto::sha256("files").text());
}

TEST_CASE("the image runs the entrypoint as an unprivileged user in the capsule's root") {
  auto facts = facts_of(manifest);
  const auto config = parsed(image::published_form(facts).image_config);
  CHECK(text_at(config, "/architecture") == "arm64");
  CHECK(text_at(config, "/config/User") == "65532:65532");
  CHECK(text_at(config, "/config/WorkingDir") == "/");
  CHECK(text_at(config, "/config/Entrypoint/0") == "/run.py");
  CHECK(text_at(config, "/config/Env/0") == "A=b");
  CHECK(text_at(config, "/config/Env/1").starts_with("PATH="));
  CHECK(text_at(config, "/config/Labels/l") == "m");
  CHECK(text_at(config, "/config/Labels/ai.industriverse.capsule.name") == "x");
  CHECK(text_at(config, "/rootfs/diff_ids/2") == crypto::sha256("tar of files").text());
  CHECK(config.at_pointer("/created") == nullptr);
  facts.start = image::Start::python;
  facts.base.environment = {"PATH=/bin"};
  const auto other = parsed(image::published_form(facts).image_config);
  CHECK(text_at(other, "/config/Entrypoint/0") == "python3");
  CHECK(text_at(other, "/config/Entrypoint/1") == "/run.py");
  CHECK(other.at_pointer("/config/Env")->if_array()->size() == 1);
  CHECK(image::start_of("a/b", true) == image::Start::itself);
  CHECK(image::start_of("a/b.py", false) == image::Start::python);
  CHECK_THROWS_AS(image::start_of("a/b.sh", false), Error);
}

TEST_CASE("the index has the package for nobody's platform and the image for its own") {
  const auto form = image::published_form(facts_of(manifest));
  const auto index = parsed(form.index);
  CHECK(text_at(index, "/manifests/0/platform/os") == "unknown");
  CHECK(text_at(index, "/manifests/0/artifactType") == oci::media_type::capsule);
  CHECK(text_at(index, "/manifests/0/digest") == form.package_manifest.descriptor.digest.text());
  CHECK(text_at(index, "/manifests/1/platform/architecture") == "arm64");
  CHECK(text_at(index, "/manifests/1/digest") == form.image_manifest.descriptor.digest.text());
  CHECK(text_at(index, "/annotations/ai.industriverse.capsule.package-digest") == crypto::sha256("package").text());
  CHECK(image::published_form(facts_of(manifest)).index.bytes == form.index.bytes);
}

TEST_CASE("more layers than can be mounted are refused") {
  auto facts = facts_of(manifest);
  const auto one = facts.base.layers.front();
  facts.base.layers.assign(124, one);
  CHECK_NOTHROW(image::published_form(facts));
  facts.base.layers.push_back(one);
  try {
    (void)image::published_form(facts);
    FAIL("an error is wanted");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::invalid_input);
  }
}

TEST_CASE("what was published is read back, layer after layer") {
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  const auto registry = oci::RegistryLocation::parse("oci-layout:" + folder.path().string());
  const auto store = oci::open_store(registry, "x", oci::Create::yes);
  const auto form = image::published_form(facts_of(manifest));
  const auto put = [&](std::string_view text) {
    ViewSource source{as_bytes(text)};
    store->put_blob(crypto::sha256(text), text.size(), source);
  };
  for (const auto* text : {"base", "head", "tarball", "files", "end"}) put(text);
  put(form.package_config.bytes);
  put(form.image_config.bytes);
  store->put_manifest(oci::media_type::image_manifest, form.package_manifest.bytes, std::nullopt);
  store->put_manifest(oci::media_type::image_manifest, form.image_manifest.bytes, std::nullopt);
  store->put_manifest(oci::media_type::image_index, form.index.bytes, "1.0.0");

  const auto by_tag = image::find_index(*store, {registry, "x", "1.0.0", std::nullopt});
  CHECK(by_tag.digest == form.index.descriptor.digest);
  const auto published = image::read_published(*store, by_tag.digest);
  CHECK(published.name == "x");
  CHECK(published.size == 19);
  CHECK(published.image_manifest.digest == form.image_manifest.descriptor.digest);
  StringSink sink{100};
  copy(*image::open_package(*store, published), sink);
  CHECK(sink.text() == "headtarballfilesend");

  const auto kind_of = [&](const oci::Reference& reference) {
    try {
      (void)image::find_index(*store, reference);
    } catch (const Error& error) {
      return error.kind();
    }
    return ErrorKind::busy;
  };
  CHECK(kind_of({registry, "x", "2.0.0", std::nullopt}) == ErrorKind::not_found);
  CHECK(kind_of({registry, "x", std::nullopt, std::nullopt}) == ErrorKind::usage);
  CHECK(kind_of({registry, "x", std::nullopt, crypto::sha256("no")}) == ErrorKind::not_found);
  CHECK(kind_of({registry, "x", "1.0.0", crypto::sha256("no")}) == ErrorKind::verification_failed);
  CHECK_THROWS_AS(image::read_published(*store, form.image_manifest.descriptor.digest), Error);
  CHECK_THROWS_AS(image::read_published(*store, crypto::sha256("no")), Error);
}
