#include "cluster/pod_parts.hpp"

#include <fmt/format.h>

#include <array>

#include "cluster/pod_requests.hpp"

namespace capsule::cluster {

std::string size_quantity(std::uint64_t bytes) {
  constexpr std::uint64_t step = 1024;
  constexpr std::array units{"Mi", "Gi", "Ti", "Pi"};
  auto amount = (bytes + mebibyte - 1) / mebibyte;
  std::size_t unit = 0;
  for (; amount > 0 && amount % step == 0 && unit + 1 < units.size(); ++unit) amount /= step;
  return fmt::format("{}{}", amount, units.at(unit));
}

std::string cpu_quantity(std::uint64_t thousandths) {
  constexpr std::uint64_t whole = 1000;
  return thousandths % whole == 0 ? std::to_string(thousandths / whole) : fmt::format("{}m", thousandths);
}

json::Object mount(std::string_view name, std::string_view path, bool read_only) {
  json::Object out{{"name", name}, {"mountPath", path}};
  if (read_only) out.set("readOnly", true);
  return out;
}

json::Object empty_dir(std::string_view name, std::uint64_t bytes) {
  return {{"name", name}, {"emptyDir", json::Object{{"sizeLimit", size_quantity(bytes)}}}};
}

json::Object container_security() {
  return {{"allowPrivilegeEscalation", false},
          {"readOnlyRootFilesystem", true},
          {"capabilities", json::Object{{"drop", json::Array{"ALL"}}}}};
}

json::Object small_resources() {
  return {{"requests",
           json::Object{{"cpu", cpu_quantity(init_requests.cpu)}, {"memory", size_quantity(init_requests.memory)}}},
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
