#include "hints.hpp"

#include "core/error.hpp"
#include "core/semver.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "oci/media_types.hpp"

namespace publish {

using namespace capsule;

std::optional<Hints> parse_hints(std::string_view text, std::uint64_t package_size) {
  constexpr std::string_view what = "the hints";
  try {
    const auto document = json::parse(text, what);
    const json::Cursor top{document, std::string{what}};
    Hints out{top.at("name").string(),
              top.at("version").string(),
              oci::Descriptor::from_json(top.at("index")).digest,
              {},
              {}};
    if (!is_name(out.name) || !is_version(out.version)) return std::nullopt;
    std::uint64_t rest = package_size;
    for (const auto& entry : top.at("segments").elements()) {
      out.segments.push_back(oci::Descriptor::from_json(entry));
      if (out.segments.back().size > rest) return std::nullopt;
      rest -= out.segments.back().size;
    }
    if (rest != 0) return std::nullopt;
    if (const auto diff_ids = top.optional("diff_ids")) {
      for (const auto& entry : diff_ids->elements()) out.diff_ids.push_back(Digest::parse(entry.string()));
    }
    return out;
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::optional<Hints> read_hints(image::CapsuleInput& input) {
  const auto text = input.hints();
  return text ? parse_hints(*text, input.size()) : std::nullopt;
}

}  // namespace publish
