#include "push_images_command.hpp"

#include <fmt/format.h>

#include "push_images.hpp"

namespace push_images {

using namespace capsule;

void define_options(CLI::App& app, Options& options) {
  app.add_option("layout", options.layout, "OCI image layout, whose tags are <anything>/<name>:<version>")
      ->required()
      ->type_name("LAYOUT");
  app.add_option("--registry", options.registry,
                 "Where to: oci://HOST[:PORT]/BASE, or oci-layout:DIR, one OCI layout per name at DIR/<name>/")
      ->type_name("REGISTRY")
      ->required();
  step::add_registry_options(app, options.registries);
}

const step::Manual& manual() {
  static const step::Manual text{
      .outputs = {},
      .example = "capsule-push-images build/images/oci --registry oci://registry.example/loop",
      .exit_codes = {10, 11, 12, 13, 40, 41, 42}};
  return text;
}

void run(const Options& options, step::Context& step) {
  const auto registry = oci::RegistryLocation::parse(options.registry, options.registries.access());
  json::Object digests;
  std::string lines;
  for (const auto& image : push(options.layout, registry)) {
    digests.set(image.name, image.digest.text());
    lines += fmt::format("{}/{}:{}@{}\n", registry.text(), image.name, image.tag, image.digest.text());
  }
  step.result("registry", registry.text());
  step.result("images", std::move(digests));
  step.summary(std::move(lines));
}

}  // namespace push_images
