#include "image/base_config.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "oci/media_types.hpp"

namespace capsule::image {

using archive::Compression;

[[noreturn]] void refuse_base(std::string_view reason) {
  throw Error{ErrorKind::invalid_input, std::string{reason}};
}

[[noreturn]] void base_mismatch(std::string_view reason) {
  throw Error{ErrorKind::verification_failed, std::string{reason}};
}

std::string_view layer_type(Compression compression) {
  switch (compression) {
    case Compression::none:
      return oci::media_type::layer_tar;
    case Compression::gzip:
      return oci::media_type::layer_gzip;
    case Compression::zstd:
      return oci::media_type::layer_zstd;
    case Compression::xz:
      break;
  }
  refuse_base("a layer is compressed with xz, which no container runtime reads");
}

const std::string& text_of(const TarballPart& part, std::string_view name) {
  if (!part.text) refuse_base(fmt::format("{} is no JSON document, or too large", printable(name)));
  return *part.text;
}

BaseConfig parse_base_config(const std::string& text, const std::string& what) {
  const auto document = json::parse(text, what);
  const json::Cursor top{document, what};
  if (top.at("os").string() != "linux") top.at("os").fail("linux is wanted");
  BaseConfig out;
  out.architecture = top.at("architecture").string();
  const auto rootfs = top.at("rootfs");
  for (const auto& id : rootfs.at("diff_ids").elements()) out.diff_ids.push_back(Digest::parse(id.string()));
  const auto config = top.optional("config");
  if (!config || config->value().is_null()) return out;
  const auto not_null = [&](std::string_view key) {
    auto member = config->optional(key);
    return member && !member->value().is_null() ? member : std::nullopt;
  };
  if (const auto variables = not_null("Env")) {
    for (const auto& variable : variables->elements()) {
      if (variable.string().find('=') == std::string::npos) variable.fail("NAME=value is wanted");
      out.image.environment.push_back(variable.string());
    }
  }
  if (const auto labels = not_null("Labels")) {
    for (const auto& [key, label] : labels->members()) out.image.labels.emplace(key, label.string());
  }
  if (const auto signal = not_null("StopSignal")) out.image.stop_signal = signal->string();
  return out;
}

BaseImage join_base(BaseConfig config, std::vector<BaseLayer> layers) {
  if (config.diff_ids.size() != layers.size()) {
    refuse_base(fmt::format("the image has {} layers, its config {} diff_ids", layers.size(), config.diff_ids.size()));
  }
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (layers[i].diff_id != config.diff_ids[i]) {
      base_mismatch(fmt::format("layer {} has the diff_id {}, its config says {}", i, layers[i].diff_id.text(),
                                config.diff_ids[i].text()));
    }
  }
  config.image.layers = std::move(layers);
  return std::move(config.image);
}

}  // namespace capsule::image
