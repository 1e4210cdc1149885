#include "image/published_form.hpp"

#include <fmt/format.h>

#include "crypto/hash.hpp"
#include "json/write.hpp"
#include "oci/media_types.hpp"

namespace capsule::image {

namespace {

namespace media_type = oci::media_type;

constexpr std::size_t max_layers = 127;
constexpr std::string_view user = "65532:65532";
constexpr std::string_view default_path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

struct Layer {
  oci::Descriptor descriptor;
  Digest diff_id;
};

Layer layer_of(const Segment& segment) {
  return {{std::string{media_type::layer_gzip}, segment.digest.value(), segment.size, {}, {}, {}},
          segment.diff_id.value()};
}

Document document_of(std::string_view type, const json::Value& content) {
  Document out{{std::string{type}, crypto::sha256(std::string_view{}), 0, {}, {}, {}}, json::compact(content)};
  out.descriptor.digest = crypto::sha256(out.bytes);
  out.descriptor.size = out.bytes.size();
  return out;
}

json::Object texts(const std::map<std::string, std::string>& from) {
  json::Object out;
  for (const auto& [key, value] : from) out.set(key, value);
  return out;
}

std::map<std::string, std::string> identity_of(const PackageFacts& facts) {
  return {{std::string{annotation::name}, facts.manifest.name},
          {std::string{annotation::version}, facts.manifest.version},
          {std::string{annotation::capsule_digest}, facts.capsule_digest.text()}};
}

json::Object annotations_of(const PackageFacts& facts) {
  auto notes = identity_of(facts);
  notes.emplace(annotation::package_digest, facts.package_digest.text());
  return texts(notes);
}

json::Object config_of(const PackageFacts& facts, const std::vector<Layer>& layers, json::Object run) {
  json::Array diff_ids;
  for (const auto& layer : layers) diff_ids.emplace_back(layer.diff_id.text());
  json::Object out;
  out.set("architecture", facts.manifest.architecture());
  out.set("os", "linux");
  out.set("config", std::move(run));
  out.set("rootfs", json::Object{{"type", "layers"}, {"diff_ids", std::move(diff_ids)}});
  return out;
}

json::Object manifest_of(const PackageFacts& facts, const Document& config, const std::vector<Layer>& layers,
                         std::string_view artifact_type) {
  json::Array descriptors;
  for (const auto& layer : layers) descriptors.push_back(layer.descriptor.to_json());
  json::Object out{{"schemaVersion", 2}, {"mediaType", media_type::image_manifest}};
  if (!artifact_type.empty()) out.set("artifactType", artifact_type);
  out.set("config", config.descriptor.to_json());
  out.set("layers", std::move(descriptors));
  out.set("annotations", annotations_of(facts));
  return out;
}

std::vector<Layer> package_layers(const PackageFacts& facts) {
  std::vector<Layer> out;
  for (const auto& segment : facts.segments) {
    out.push_back(layer_of(segment));
    // Without a title `oras pull` leaves a layer out.
    out.back().descriptor.annotations.emplace(
        annotation::title, fmt::format("{}.{:03}", package_file_name(facts.manifest), out.size() - 1));
  }
  return out;
}

std::vector<Layer> image_layers(const PackageFacts& facts) {
  std::vector<Layer> out;
  for (const auto& base : facts.base.layers) out.push_back({base.descriptor, base.diff_id});
  for (const auto& segment : facts.segments) {
    if (segment.role != Segment::Role::tarball) out.push_back(layer_of(segment));
  }
  if (out.size() > max_layers) {
    throw Error{ErrorKind::invalid_input,
                fmt::format("the image would have {} layers, at most {} can be mounted: capsule.tarball has {}; merge "
                            "some of them",
                            out.size(), max_layers, facts.base.layers.size())};
  }
  return out;
}

/// The segments unpack at the image's root, so that this is the capsule's root and the working folder.
json::Object run_config(const PackageFacts& facts) {
  const auto entrypoint = fmt::format("/{}", facts.manifest.entrypoint);
  json::Array command;
  if (facts.start == Start::python) command.emplace_back("python3");
  command.emplace_back(entrypoint);
  json::Array environment;
  bool has_path = false;
  for (const auto& variable : facts.base.environment) {
    has_path = has_path || variable.starts_with("PATH=");
    environment.emplace_back(variable);
  }
  if (!has_path) environment.emplace_back(default_path);
  auto labels = facts.base.labels;
  for (auto& [key, value] : identity_of(facts)) labels.insert_or_assign(key, value);
  json::Object out;
  out.set("User", user);
  out.set("Env", std::move(environment));
  out.set("Entrypoint", std::move(command));
  out.set("WorkingDir", "/");
  out.set("Labels", texts(labels));
  if (!facts.base.stop_signal.empty()) out.set("StopSignal", facts.base.stop_signal);
  return out;
}

Document index_of(const PackageFacts& facts, const Document& package, const Document& image) {
  auto package_entry = package.descriptor;
  package_entry.artifact_type = media_type::capsule;
  package_entry.platform = json::Object{{"architecture", "unknown"}, {"os", "unknown"}};  // runtimes skip it
  auto image_entry = image.descriptor;
  image_entry.platform = json::Object{{"architecture", facts.manifest.architecture()}, {"os", "linux"}};
  json::Object out{{"schemaVersion", 2}, {"mediaType", media_type::image_index}};
  out.set("manifests", json::Array{package_entry.to_json(), image_entry.to_json()});
  out.set("annotations", annotations_of(facts));
  return document_of(media_type::image_index, out);
}

}  // namespace

Start start_of(std::string_view entrypoint, bool executable) {
  if (executable) return Start::itself;
  if (entrypoint.ends_with(".py")) return Start::python;
  throw Error{
      ErrorKind::invalid_input,
      fmt::format("the entrypoint {} cannot be started: it neither begins with '#!' nor is an ELF file, and its "
                  "name does not end in .py",
                  printable(entrypoint))};
}

PublishedForm published_form(const PackageFacts& facts) {
  const auto of_package = package_layers(facts);
  const auto of_image = image_layers(facts);
  auto package_config = document_of(media_type::image_config, config_of(facts, of_package, {}));
  auto package =
      document_of(media_type::image_manifest, manifest_of(facts, package_config, of_package, media_type::capsule));
  auto image_config = document_of(media_type::image_config, config_of(facts, of_image, run_config(facts)));
  auto image = document_of(media_type::image_manifest, manifest_of(facts, image_config, of_image, {}));
  auto index = index_of(facts, package, image);
  return {std::move(package_config), std::move(package), std::move(image_config), std::move(image), std::move(index)};
}

}  // namespace capsule::image
