#include "image/checked_form.hpp"

#include "image/form_observer.hpp"

namespace capsule::image {

CheckedForm check_form(Source& package, CheckOptions options) {
  FormObserver observer;
  options.segment_digests = SegmentDigests::yes;
  options.observer = &observer;
  CheckedForm out{check_package(package, options), std::nullopt};
  const auto& checked = out.package;
  if (checked.canonical)
    out.facts = observer.facts(checked.head.manifest, checked.capsule_digest, checked.package_digest, checked.segments);
  return out;
}

}  // namespace capsule::image
