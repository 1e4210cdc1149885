#include "cluster/pod_parts.hpp"

#include <fmt/format.h>

namespace capsule::cluster {

json::Object mount(std::string_view name, std::string_view path, bool read_only) {
  json::Object out{{"name", name}, {"mountPath", path}};
  if (read_only) out.set("readOnly", true);
  return out;
}

json::Object empty_dir(std::string_view name, std::uint64_t bytes) {
  return {{"name", name},
          {"emptyDir", json::Object{{"sizeLimit", fmt::format("{}Mi", (bytes + mebibyte - 1) / mebibyte)}}}};
}

json::Object container_security() {
  return {{"allowPrivilegeEscalation", false},
          {"readOnlyRootFilesystem", true},
          {"capabilities", json::Object{{"drop", json::Array{"ALL"}}}}};
}

json::Object small_resources() {
  return {{"requests", json::Object{{"cpu", "50m"}, {"memory", "64Mi"}}},
          {"limits", json::Object{{"cpu", "1"}, {"memory", "256Mi"}}}};
}

json::Object probe(std::string_view path, std::string_view port, int period, int failures) {
  return {{"httpGet", json::Object{{"path", path}, {"port", port}}},
          {"periodSeconds", period},
          {"timeoutSeconds", 5},
          {"failureThreshold", failures}};
}

json::Object container_port(std::string_view name, unsigned port) {
  return {{"name", name}, {"containerPort", port}, {"protocol", "TCP"}};
}

json::Object variable(std::string_view name, std::string_view value) {
  return {{"name", name}, {"value", value}};
}

}  // namespace capsule::cluster
