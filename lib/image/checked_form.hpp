#pragma once

#include <optional>

#include "capsule/checked_package.hpp"
#include "image/published_form.hpp"

namespace capsule::image {

/// A package that is whole, and what its OCI form is made of; without a word about who signed it.
struct CheckedForm {
  CheckedPackage package;
  std::optional<PackageFacts> facts;  ///< of a canonical package; others have no form
};

/// check_package, and everything for published_form, in the same read. `options` names no observer: there is one
/// already. Errors: those of check_package; invalid_input where no image can be made of it.
CheckedForm check_form(Source& package, CheckOptions options = {});

}  // namespace capsule::image
