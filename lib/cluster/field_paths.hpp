#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "json/value.hpp"

namespace capsule::cluster {

// Sets of fields as metadata.managedFields has them (FieldsV1, structured-merge-diff): an object whose members are
// steps. `f:<name>` is a member of an object, `k:{…}` the entry of a list with those keys, `v:<value>` that of a set,
// `i:<n>` the one at that place; `.` stands for the object or list itself. What has no steps below is there with all
// that it holds.

/// Steps from the object to one of its fields.
using FieldPath = std::vector<std::string>;

/// `a` and `b` together, less what of `b` is not taken: `takes` is asked for each path of it that is not in `a`. Pure.
json::Object united(const json::Object& a, const json::Object& b,
                    const std::function<bool(const FieldPath& path)>& takes);

/// The fields of `set` that are not in `than`, the topmost of each: where an object is missing as a whole, that. Pure.
std::vector<FieldPath> beyond(const json::Value& set, const json::Value& than);

/// What of `value` is in the set. Entries of lists keep their order. Pure.
json::Value extracted(const json::Value& value, const json::Value& set);

/// What the path names; null: nothing is there. Pure.
const json::Value* at_path(const json::Value& value, const FieldPath& path);
/// Takes that out; nothing happens where it is not there.
void erase_at(json::Value& value, const FieldPath& path);

/// For people: `spec.template.spec.volumes[name=tmp].emptyDir`. Pure.
std::string text_of(const FieldPath& path, std::size_t from = 0);

}  // namespace capsule::cluster
