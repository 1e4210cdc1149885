#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "json/value.hpp"
#include "kube/connection.hpp"
#include "kube/resource.hpp"
#include "kube/status.hpp"

namespace capsule::kube {

/// Selectors as kubectl writes them; empty: all.
struct Selection {
  std::string labels{};  ///< "app=x,tier!=y"
  std::string fields{};  ///< "metadata.name=x"
};

struct List {
  std::vector<json::Value> items;  ///< as in all lists, without apiVersion and kind where the kind is a built-in one
  std::string resource_version;    ///< from which a watch goes on
};

/// How something is written.
struct Write {
  std::string subresource{};                   ///< "status", "scale"; empty: the object
  bool dry_run = false;                        ///< all is checked, nothing is kept
  bool strict = false;                         ///< an unknown or repeated field is an error, not dropped
  bool force = false;                          ///< apply alone: take over fields of other managers
  std::string field_manager = "capsule-loop";  ///< whose fields they are
  bool once = false;                           ///< as Call has it
  std::chrono::milliseconds limit{0};          ///< as Call has it
};

enum class PatchKind {
  merge,      ///< RFC 7386
  operations  ///< RFC 6902
};

enum class Propagation { background, foreground, orphan };

struct Removal {
  std::string uid{};               ///< only if it is still this one (Error conflict)
  std::string resource_version{};  ///< only if it has not changed (Error conflict)
  Propagation propagation = Propagation::background;
  std::optional<std::chrono::seconds> grace{};
  bool dry_run = false;
};

struct LogOptions {
  std::string container{};
  bool previous = false;  ///< of the container that ran before the last restart
  int tail_lines = 20;
  int limit_bytes = 16 << 10;
};

/// What is asked for with can_i.
struct Action {
  std::string verb;
  Resource resource;
  std::string subresource{};
  std::string ns{};
  std::string name{};
};

/// A request to a server in a pod.
struct PodRequest {
  http::Method method = http::Method::get;
  std::string path = "/";  ///< with a query, if there is one
  std::string body{};
  std::string content_type{};
  std::chrono::milliseconds limit{30'000};
  bool idempotent = false;                                ///< of a POST: it may be sent twice
  std::uint64_t answer_limit = std::uint64_t{32} << 20U;  ///< bytes; what runs in a pod may answer without end
  std::function<void()> on_wait{};  ///< called about once a second meanwhile; what it throws ends the request
};

enum class EventKind {
  listed,  ///< Event::list is all that there is: at first, and again where events may have been missed
  added,
  modified,
  deleted
};

struct Event {
  EventKind kind = EventKind::listed;
  json::Value object;  ///< of added, modified, deleted: its last state
  List list;           ///< of listed
};

enum class Flow { go_on, stop };

struct WatchOptions {
  Selection selection{};
  std::string from{};                         ///< a resourceVersion; empty: begins with EventKind::listed
  std::chrono::milliseconds time_limit{0};    ///< of all of it; zero: none. Kept to about a second
  std::chrono::milliseconds outage{120'000};  ///< how long the apiserver may be away before that is an error
  std::function<void()> on_wait{};            ///< called about once a second; what it throws leaves watch()
};

enum class WatchEnd { stopped, timed_out };

/// The API of one cluster. Errors: ApiError and what Connection says; a message names verb, resource and namespace, and
/// for 401 and 403 the account. What the apiserver warns of goes to the log. What was sent and perhaps done, although
/// no answer came, is sent again where that is harmless (reading, apply, merge patch, replace, remove), and never for
/// create and JSON patch. Not for several threads at once.
class Client {
 public:
  explicit Client(Config config, ConnectionOptions options = {});

  json::Value get(const Name& name);
  /// Nothing where there is no such object; where the kind itself is not served: Error not_found.
  std::optional<json::Value> find(const Name& name);
  /// Calls `take` with each object, page by page, so that no more than a page of them is in memory; gives the list's
  /// resourceVersion. `on_wait` as Call has it.
  std::string for_each(const Resource& resource, const std::string& ns, const Selection& selection,
                       const std::function<void(json::Value)>& take, const std::function<void()>& on_wait = {});
  /// All of them.
  List list(const Resource& resource, const std::string& ns, const Selection& selection = {},
            const std::function<void()>& on_wait = {});

  /// Name::name counts for messages only: the object brings its own (or generateName). Error conflict (AlreadyExists).
  json::Value create(const Name& name, const json::Value& object, const Write& how = {});
  /// Server-side apply. Error conflict names the other managers, unless it is forced.
  json::Value apply(const Name& name, const json::Value& object, const Write& how = {});
  json::Value patch(const Name& name, PatchKind kind, const json::Value& patch, const Write& how = {});
  /// Puts the whole object; with metadata.resourceVersion only if it has not changed (Error conflict).
  json::Value replace(const Name& name, const json::Value& object, const Write& how = {});
  /// False: it was not there.
  bool remove(const Name& name, const Removal& how = {});

  /// Calls `handler` for all that happens, in its order, until it stops or the time is over. Goes on by itself after
  /// the end of a connection, from the last resourceVersion; begins anew with a list after 410 Gone. Requests may be
  /// made from within `handler` and `on_wait`.
  WatchEnd watch(const Resource& resource, const std::string& ns, const WatchOptions& options,
                 const std::function<Flow(const Event&)>& handler);

  /// Through the apiserver to a pod's port (subresource pods/proxy). Any status that the pod answers comes back, 429
  /// and 5xx after some tries, unless they are its final word; ApiError for what the apiserver says itself (no right,
  /// no such pod, nobody listens).
  http::Response proxy(const Name& pod, std::uint16_t port, const PodRequest& request);
  /// What a container wrote; at most `limit_bytes`, the last lines.
  std::string log(const Name& pod, const LogOptions& options = {});

  /// Whether we may (SelfSubjectAccessReview).
  bool can_i(const Action& action);
  /// Whether the cluster serves that kind, with "status" also its subresource.
  bool serves(const Resource& resource, std::string_view subresource = {});
  /// A document at a path of the API, e.g. "/version".
  json::Value document(const std::string& path);

  [[nodiscard]] const Config& config() const noexcept { return m_connection.config(); }
  /// How many requests went out so far.
  [[nodiscard]] std::uint64_t requests() const noexcept { return m_connection.requests(); }
  [[nodiscard]] Connection& connection() noexcept { return m_connection; }

 private:
  json::Value write(http::Method method, std::string_view verb, const Name& name, std::string path, std::string body,
                    std::string content_type, const Write& how, bool idempotent);
  Connection m_connection;
};

/// Parses an answer or an event of the API.
json::Value parse_object(std::string_view text, std::string_view what);

}  // namespace capsule::kube
