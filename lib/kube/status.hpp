#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "http/client.hpp"
#include "json/value.hpp"

namespace capsule::kube {

/// What the apiserver says of a failure (metav1.Status).
struct Status {
  int code = 0;
  std::string reason{};  ///< "NotFound", "AlreadyExists", "Conflict", "Forbidden", "Expired", "Invalid", …
  std::string message{};
  bool names_object = false;  ///< whether it is about one object, and not about a kind that is not served
  /// How long to wait before the next try, where the answer says so (Retry-After).
  std::optional<std::chrono::milliseconds> retry_after{};
  std::vector<std::string> causes{};  ///< "FieldManagerConflict: conflict with "kubectl" using apps/v1: .spec.replicas"
};

/// An answer that is none of 2xx. Kinds: denied (401, 403), not_found (404, 410), conflict (409, 412), unavailable
/// (429, 5xx), else invalid_input. Error::within makes it a plain Error.
class ApiError : public Error {
 public:
  ApiError(Status status, std::string message);
  [[nodiscard]] const Status& status() const noexcept { return m_status; }

 private:
  Status m_status;
};

/// A Status object; nothing for another.
std::optional<Status> read_status(const json::Value& value);
/// Of an answer: its Status or, where it has none (a proxy's page), what can be said of the code.
Status status_of(const http::Response& response);
/// Whether the answer is the apiserver's own word, and not that of a pod behind it.
bool is_status(const http::Response& response);
/// Whether it is JSON of a pod behind the apiserver, and does not say when to come again (Retry-After). A page of
/// something in between is neither's word.
bool is_final_word_of_a_pod(const http::Response& response);

/// The error for a failed call. `what` = verb, resource and place ("list pods in namespace 'x'"), `account` = who
/// asked; it is named where he may not.
ApiError api_error(Status status, std::string_view what, std::string_view account);

}  // namespace capsule::kube
