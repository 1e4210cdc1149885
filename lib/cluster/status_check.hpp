#pragma once

#include <string>

#include "cluster/run_book.hpp"
#include "json/value.hpp"

namespace capsule::cluster {

/// Whether the object's status says that its last run is proved. Pure.
bool is_proved(const json::Value& object);

/// What of the object's status cannot be so where the run `run_id` is what is deployed: it is of another one (of
/// another version, or one that failed), `runs` says otherwise of it, or who keeps it is none of us: it was lost (a
/// restored object has none), damaged or made up. One line; empty: nothing. Pure.
std::string fault_of_status(const json::Value& object, const RunBook& runs, const std::string& run_id);

/// Whether the status, or a condition of it, is of an earlier generation of the spec: `kubectl wait` takes it for not
/// met. No where the status is no subresource, so that writing it changes the generation, too. Pure.
bool is_unobserved(const json::Value& object);

/// Notes in the status of `object` that the spec of `applied` was seen, where it is a subresource.
void set_seen(json::Object& object, const json::Value& applied);

}  // namespace capsule::cluster
