// A kubeconfig as somebody hands it over, what a credential plug-in writes, and a watch's line: no crash, and only
// Errors leave.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/error.hpp"
#include "kube/event_stream.hpp"
#include "kube/exec_plugin.hpp"
#include "kube/kubeconfig.hpp"
#include "kube/status.hpp"

namespace {

template <typename Work>
void attempt(Work&& work) {
  try {
    work();
  } catch (const capsule::Error&) {  // NOLINT(bugprone-empty-catch): what is refused is refused
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace capsule;
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  attempt([&] {
    kube::Kubeconfig files;
    kube::merge(files, text, "/nowhere/config");
    for (const auto& [name, context] : files.contexts)
      attempt([&, &context_name = name] { kube::choose(files, context_name); });
  });
  attempt([&] {
    kube::read_exec_credential(std::string{text}, {"plugin", {}, {}, "client.authentication.k8s.io/v1", {}, {}});
  });
  attempt([&] { kube::read_status(kube::read_watch_event(text).object); });
  return 0;
}
