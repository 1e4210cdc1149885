#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "json/value.hpp"

namespace capsule::cluster {

// What all of our pods are made of. Pure.

inline constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20U;

/// User and group of every container.
inline constexpr int pod_user = 65532;

/// Rounded up to mebibytes, and written as the API server writes it (256Mi, 4Gi): who applies another form of what
/// somebody else has set is told of a conflict.
std::string size_quantity(std::uint64_t bytes);
/// Of processors, written so, too: 1, 500m.
std::string cpu_quantity(std::uint64_t thousandths);

json::Object mount(std::string_view name, std::string_view path, bool read_only);
/// A volume that goes with the pod, of at most so many bytes.
json::Object empty_dir(std::string_view name, std::uint64_t bytes);
/// Of a container: the restricted standard, and a root that is read-only.
json::Object container_security();
/// Of a small container.
json::Object small_resources();
json::Object probe(std::string_view path, std::string_view port, int period, int failures);
json::Object container_port(std::string_view name, unsigned port);
json::Object variable(std::string_view name, std::string_view value);

}  // namespace capsule::cluster
