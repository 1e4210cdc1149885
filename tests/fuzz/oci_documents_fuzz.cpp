// Any text as an image manifest, an image index, the index.json of a layout, and a reference. What is accepted is
// written and read again as the same.

#include <cstdlib>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "oci/layout_index.hpp"
#include "oci/manifest.hpp"
#include "oci/media_types.hpp"
#include "oci/reference.hpp"

using namespace capsule;

namespace {

template <typename Work>
void attempt(Work&& work) {
  try {
    work();
  } catch (const Error&) {
  }
}

void edit(std::string_view text) {
  oci::LayoutIndex index{std::string{text}, "fuzz"};
  const auto subject = crypto::sha256("subject");
  const oci::Descriptor target{"a/b", crypto::sha256("target"), 6, {}, {}, {}};
  index.set_tag("fuzz", target);
  index.add_referrer(subject, target);
  const auto written = index.text();
  const oci::LayoutIndex again{written, "fuzz, again"};
  if (again.text() != written) std::abort();
  const auto found = again.tagged("fuzz");
  if (!found || found->digest != target.digest || again.referrers(subject).empty()) std::abort();
}

void read_reference(std::string_view text) {
  const auto reference = oci::Reference::parse(text);
  if (oci::Reference::parse(reference.text()).text() != reference.text()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  attempt([&] { (void)oci::parse_manifest(text, oci::media_type::image_manifest, "fuzz"); });
  attempt([&] { (void)oci::parse_manifest(text, oci::media_type::image_index, "fuzz"); });
  attempt([&] { edit(text); });
  attempt([&] { read_reference(text); });
  return 0;
}
