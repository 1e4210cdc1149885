#include "cluster/pod_state.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "cluster/names.hpp"
#include "cluster/node.hpp"
#include "core/bytes.hpp"

namespace capsule::cluster {

namespace {

constexpr std::size_t max_words = 400;
/// So long a roll-out may stand still before it is said to.
constexpr std::chrono::minutes patience_with_roll_out{1};

std::int64_t number_at(const json::Value& value, std::string_view pointer, std::int64_t otherwise = 0) {
  const auto* found = value.at_pointer(pointer);
  if (found == nullptr || found->if_number() == nullptr) return otherwise;
  return static_cast<std::int64_t>(json::to_double(*found->if_number()));
}

/// A name of ours: keys with a slash are no plain JSON pointers.
bool contains_any(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return text.find(word) != std::string_view::npos; });
}

/// The last line that says something: a termination message is the end of a log.
std::string last_words(const std::string& message) {
  std::string_view text = message;
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
  const auto line = text.rfind('\n');
  return printable(line == std::string_view::npos ? text : text.substr(line + 1), max_words);
}

/// What a container waits for: its image or, where the kubelet's words name one, that of an image volume.
std::string awaited_image(const json::Value& pod, const json::Value& container, const std::string& message) {
  for (const auto& volume : array_at(pod, "/spec/volumes")) {
    auto image = text_at(volume, "/image/reference");
    if (!image.empty() && message.find(image) != std::string::npos) return image;
  }
  return text_at(container, "/image");
}

Trouble image_trouble(const json::Value& pod, const json::Value& container, const std::string& reason,
                      const std::string& message) {
  const auto image = awaited_image(pod, container, message);
  const bool not_there = contains_any(message, {"not found", "NotFound", "manifest unknown", "name unknown"});
  const bool not_allowed = contains_any(message, {"unauthorized", "authentication required", "denied", "401", "403"});
  const auto kind = not_there ? ErrorKind::not_found : not_allowed ? ErrorKind::denied : ErrorKind::unavailable;
  return {
      kind, "ImagePull",
      fmt::format("the image {} cannot be had ({}{}): {}", printable(image, max_words), printable(reason),
                  kind == ErrorKind::denied ? "; have its imagePullSecrets a login there?" : "", last_words(message)),
      reason != "InvalidImageName" && reason != "ErrImageNeverPull"};
}

/// Our programs say by their exit code what kind of failure it is.
ErrorKind kind_of_exit(std::int64_t code) {
  constexpr std::array kinds{ErrorKind::usage,
                             ErrorKind::invalid_input,
                             ErrorKind::verification_failed,
                             ErrorKind::not_found,
                             ErrorKind::denied,
                             ErrorKind::conflict,
                             ErrorKind::unmet_requirement,
                             ErrorKind::capsule_failed,
                             ErrorKind::unavailable,
                             ErrorKind::timed_out,
                             ErrorKind::busy};
  for (const auto kind : kinds)
    if (exit_code(kind) == code) return kind;
  return ErrorKind::capsule_failed;
}

std::optional<Trouble> crash(const json::Value& status, const json::Value& terminated) {
  const auto code = number_at(terminated, "/exitCode");
  if (code == 0) return std::nullopt;
  const auto name = printable(text_at(status, "/name"));
  if (text_at(terminated, "/reason") == "OOMKilled") {
    return Trouble{ErrorKind::capsule_failed, "OutOfMemory",
                   fmt::format("container {} was ended for want of memory: resources.memory of the manifest asks for "
                               "more",
                               name)};
  }
  const auto kind = kind_of_exit(code);
  const auto words = last_words(text_at(terminated, "/message"));
  return Trouble{kind, "Crashed",
                 fmt::format("container {} ended with exit code {}{}{}", name, code, words.empty() ? "" : ": ", words),
                 retry_helps(kind) || code > 100};
}

/// Of one container of a pod, as its status tells it.
std::optional<Trouble> container_trouble(const json::Value& pod, const json::Value& status) {
  const auto waiting = text_at(status, "/state/waiting/reason");
  const auto message = text_at(status, "/state/waiting/message");
  if (waiting == "ErrImagePull" || waiting == "ImagePullBackOff" || waiting == "InvalidImageName" ||
      waiting == "ErrImageNeverPull" || waiting == "RegistryUnavailable" || waiting == "SignatureValidationFailed")
    return image_trouble(pod, status, waiting, message);
  for (const auto* where : {"/state/terminated", "/lastState/terminated"}) {
    const auto* terminated = status.at_pointer(where);
    if (terminated == nullptr || !terminated->is_object()) continue;
    auto found = crash(status, *terminated);
    if (found && waiting == "CrashLoopBackOff") found->may_pass = false;
    if (found) return found;
  }
  if (waiting == "CreateContainerConfigError" || waiting == "CreateContainerError" || waiting == "RunContainerError")
    return Trouble{
        ErrorKind::capsule_failed, "ContainerError",
        fmt::format("container {} cannot be made: {}", printable(text_at(status, "/name")), last_words(message)), true};
  return std::nullopt;
}

std::optional<Trouble> trouble_of(const json::Value& pod) {
  if (text_at(pod, "/status/reason") == "Evicted")
    return Trouble{ErrorKind::unavailable, "Evicted",
                   fmt::format("it was evicted: {}", last_words(text_at(pod, "/status/message"))), true};
  for (const auto& condition : array_at(pod, "/status/conditions")) {
    if (text_at(condition, "/type") == "PodScheduled" && text_at(condition, "/reason") == "Unschedulable")
      return Trouble{ErrorKind::unavailable, "Unschedulable",
                     fmt::format("no node takes it now: {}", last_words(text_at(condition, "/message"))), true};
  }
  for (const auto* where : {"/status/initContainerStatuses", "/status/containerStatuses"}) {
    for (const auto& status : array_at(pod, where))
      if (auto found = container_trouble(pod, status)) return found;
  }
  return std::nullopt;
}

bool is_ready(const json::Value& pod) {
  const auto& conditions = array_at(pod, "/status/conditions");
  return std::any_of(conditions.begin(), conditions.end(), [](const json::Value& condition) {
    return text_at(condition, "/type") == "Ready" && text_at(condition, "/status") == "True";
  });
}

bool is_before(const std::string& time, Time than) {
  try {
    return parse_time(time) < than;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

Error Trouble::error() const {
  return Error{kind, text};
}

PodState pod_state(const json::Value& pod) {
  const auto phase = text_at(pod, "/status/phase");
  PodState out{text_at(pod, "/metadata/name"),
               text_at(pod, "/metadata/uid"),
               text_at(pod, "/metadata/resourceVersion"),
               text_at(pod, "/spec/nodeName"),
               text_at(pod, "/metadata/annotations", annotation::run),
               is_ready(pod),
               phase == "Running",
               pod.at_pointer("/metadata/deletionTimestamp") != nullptr || phase == "Succeeded" || phase == "Failed",
               {}};
  if (!out.is_ready) out.trouble = trouble_of(pod);
  if (out.trouble) out.trouble->text = fmt::format("pod {}: {}", printable(out.name), out.trouble->text);
  return out;
}

namespace {

/// Whether the Deployment's controller has seen its last spec: until then its status is about another one.
bool is_observed(const json::Value& deployment) {
  return number_at(deployment, "/status/observedGeneration") >= number_at(deployment, "/metadata/generation");
}

}  // namespace

std::optional<Trouble> trouble_of_deployment(const json::Value& deployment) {
  if (!is_observed(deployment)) return std::nullopt;
  for (const auto& condition : array_at(deployment, "/status/conditions")) {
    if (text_at(condition, "/type") != "ReplicaFailure" || text_at(condition, "/status") != "True") continue;
    const auto message = printable(text_at(condition, "/message"), 2 * max_words);
    if (contains_any(message, {"exceeded quota"}))
      return Trouble{ErrorKind::unavailable, "Quota", "no pod is made, its quota is used up: " + message, true};
    if (contains_any(message, {"violates PodSecurity"}))
      return Trouble{ErrorKind::denied, "PodSecurity",
                     "no pod is made, the pod security standard of the namespace refuses it: " + message};
    return Trouble{ErrorKind::denied, "FailedCreate", "no pod is made: " + message, true};
  }
  return std::nullopt;
}

std::string why_not_rolled_out(const json::Value& deployment, Time now) {
  // Where all are there a refusal is one of former pods, which stands until their ReplicaSet has been asked for none.
  if (is_rolled_out(deployment)) return {};
  if (const auto trouble = trouble_of_deployment(deployment)) return trouble->text;
  const bool is_waited_for =
      number_at(deployment, "/status/replicas") > number_at(deployment, "/status/updatedReplicas");
  for (const auto& condition : array_at(deployment, "/status/conditions")) {
    const bool is_away = text_at(condition, "/type") == "Available" && text_at(condition, "/status") == "False";
    if (is_away && is_before(text_at(condition, "/lastTransitionTime"), now - patience_with_roll_out))
      return "too few of them are ready, and have been for a while";
    if (text_at(condition, "/type") != "Progressing") continue;
    if (text_at(condition, "/status") == "False") return printable(text_at(condition, "/message"), max_words);
    if (is_waited_for && is_before(text_at(condition, "/lastUpdateTime"), now - patience_with_roll_out))
      return "pods of a former spec are there, and those of the present one have not come up";
  }
  return {};
}

bool may_have_former_pods(const json::Value& deployment) {
  return number_at(deployment, "/status/replicas") > number_at(deployment, "/status/updatedReplicas");
}

bool is_rolled_out(const json::Value& deployment) {
  const auto wanted = number_at(deployment, "/spec/replicas", 1);
  return is_observed(deployment) && number_at(deployment, "/status/updatedReplicas") >= wanted &&
         number_at(deployment, "/status/replicas") <= wanted &&
         number_at(deployment, "/status/availableReplicas") >= wanted;
}

}  // namespace capsule::cluster
