#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "oci/descriptor.hpp"

namespace capsule::oci {

/// The tag under which registries without the referrers API keep the referrers of a manifest: `sha256-<hex>`
/// (distribution-spec 1.1, "Referrers Tag Schema").
std::string referrers_tag(const Digest& subject);
/// Whether a tag is of that kind.
bool is_referrers_tag(std::string_view tag) noexcept;

/// The referrers in an image index, as the API or the tag gives them. Error invalid_input naming `what`.
std::vector<Descriptor> parse_referrers(std::string_view bytes, const std::string& what);

/// The image index that lists them.
std::string referrers_text(const std::vector<Descriptor>& referrers);

/// What is looked into for one list of referrers (attacks: endless referrers): those that claim another type than
/// `artifact_type`, if one is given, are dropped; of more than Store::max_referrers the first and the last half stay.
std::vector<Descriptor> worth_reading(std::vector<Descriptor> candidates, std::string_view artifact_type);

/// The candidates whose manifest, as `read` gives it by digest, says that they are referrers of `subject` and of that
/// type; with the type and the annotations that it says. One that cannot be read is left out with a warning, so that it
/// hides no good one; an error after which the same call can succeed later leaves. At most Store::max_referrers, 16 MiB
/// of manifests, a minute.
std::vector<Descriptor> checked_referrers(std::vector<Descriptor> candidates, const Digest& subject,
                                          std::string_view artifact_type,
                                          const std::function<std::string(const Digest&)>& read);

}  // namespace capsule::oci
