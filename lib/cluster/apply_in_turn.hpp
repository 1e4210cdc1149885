#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "json/value.hpp"
#include "kube/client.hpp"

namespace capsule::cluster {

/// The fencing number of the deploy that wrote the object last (annotation::fence); 0: none stands there.
std::uint64_t fence_of(const json::Value& object);
/// Error busy where the object bears a higher number than `fence`: a later deploy has written it.
void require_not_fenced(const kube::Name& name, const json::Value& object, std::uint64_t fence);

/// Whether that error is a conflict with another manager of a field, which is there as long as that manager wants it.
/// Any other conflict says that somebody was faster.
bool is_of_fields(const Error& error);

/// Server-side apply. A conflict with another manager's fields says the way out; where all of them are ours to write
/// whoever has them (annotations of this project; what put_spec has set), they are taken over.
json::Value apply(kube::Client& client, const kube::Name& name, const json::Value& wanted, bool force);

/// The same by the deploy with the fencing number `fence`, which the object bears from then on. `there` is the
/// object as it was read; nothing where there was none. The apply holds for that very version alone (uid and
/// resourceVersion), or makes the object only if it is still not there; where somebody was faster it is read and
/// applied again. So what a later deploy wrote is never written over by one that lost its lease, nor what has come in
/// its place or is of another ProofedDeployment object: Error busy. Error not_found: it was removed meanwhile. `force`:
/// takes fields over from other managers (else Error conflict).
json::Value apply_in_turn(kube::Client& client, const kube::Name& name, json::Object wanted, std::uint64_t fence,
                          std::optional<json::Value> there, bool force);

}  // namespace capsule::cluster
