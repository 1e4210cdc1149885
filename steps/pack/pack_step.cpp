#include "pack_step.hpp"

#include <fmt/format.h>

#include <map>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "log/log.hpp"

namespace pack_step {

using capsule::Compression;

void define_options(CLI::App& app, Options& options) {
  app.add_option("folder", options.folder, "The capsule: the folder that holds capsule.json")
      ->required()
      ->type_name("FOLDER");
  app.add_option("--out", options.out,
                 "Where the package goes: an existing folder, or a path with a trailing slash, gets "
                 "capsule_<name>-<version>.tar.gz; anything else is the file")
      ->type_name("PATH")
      ->required();
  static const std::map<std::string, Compression> names{{"store", Compression::store},
                                                        {"auto", Compression::automatic}};
  app.add_option_function<std::string>(
         "--compress", [&options](const std::string& name) { options.compression = names.at(name); },
         "store keeps the bytes as they are, auto deflates what shrinks [store]")
      ->check(CLI::IsMember(names))
      ->type_name("FORM");
}

const capsule::step::Manual& manual() {
  static const capsule::step::Manual text{
      .outputs = {{"package", "path of the package"},
                  {"capsule-digest", "SHA-256 of checksum.sha256: what the capsule is, whoever signed it"},
                  {"name", "the capsule's name"},
                  {"version", "the capsule's version"}},
      .example = "capsule-pack my-capsule/ --out packages/",
      .exit_codes = {10, 12, 13, 14, 40}};
  return text;
}

void run(const Options& options, capsule::step::Context& step) {
  const auto result = capsule::pack_folder({.folder = options.folder,
                                            .out = options.out,
                                            .compression = options.compression,
                                            .limits = {},
                                            .progress = &step.progress()});
  for (const auto& path : result.skipped)
    capsule::log::info(fmt::format("left out: {}", capsule::printable(path, 1024)));
  step.output("package", result.package.string());
  step.output("capsule-digest", result.capsule_digest.text());
  step.output("name", result.manifest.name);
  step.output("version", result.manifest.version);
  step.result("size", result.package_size);
  step.result("already_there", result.already_there);
  step.summary(fmt::format("{} {} {} ({})\n  {}\n  capsule  {}\n", result.already_there ? "Already packed:" : "Packed",
                           result.manifest.name, result.manifest.version, capsule::human_size(result.package_size),
                           result.package.string(), result.capsule_digest.text()));
}

}  // namespace pack_step
