#include <fmt/format.h>

#include <algorithm>
#include <exception>

#include "kube/client.hpp"
#include "kube/event_stream.hpp"
#include "kube/query.hpp"

namespace capsule::kube {

namespace {

/// After which the apiserver ends a watch by itself; our own limit is a little later.
constexpr std::chrono::seconds server_limit{300};
constexpr std::chrono::seconds own_limit{330};

/// Leaves a transfer from within a callback.
struct Leave {};

using Clock = std::chrono::steady_clock;

class Watch {
 public:
  Watch(Client& client, const Resource& resource, const std::string& ns, const WatchOptions& options,
        const std::function<Flow(const Event&)>& handler)
      : m_client(client),
        m_resource(resource),
        m_ns(ns),
        m_options(options),
        m_handler(handler),
        m_version(options.from),
        m_began(client.connection().timer().now()) {}

  WatchEnd run() {
    http::Tries tries{policy(), calling(m_client.connection().timer(), [this] { on_wait(); })};
    try {
      while (true) go_on(tries);
    } catch (const Leave&) {
      if (m_thrown) std::rethrow_exception(m_thrown);
      return m_end;
    }
  }

 private:
  [[nodiscard]] http::RetryPolicy policy() const {
    return {{.attempts = 10'000, .first = std::chrono::milliseconds{250}, .cap = std::chrono::milliseconds{5000}},
            m_options.outage};
  }

  /// One connection, and the wait after it where nothing came of it.
  void go_on(http::Tries& tries) {
    m_progress = false;
    try {
      step();
      if (!m_progress) {
        throw Error{ErrorKind::unavailable,
                    fmt::format("the cluster ends each watch of {} at once", text_of(m_resource))};
      }
      tries.begin_anew();
    } catch (const Error& error) {
      if (m_progress) tries.begin_anew();
      const auto* answer = dynamic_cast<const ApiError*>(&error);
      if (!forgive(error) || !tries.wait(answer == nullptr ? std::nullopt : answer->status().retry_after)) throw;
    }
  }

  void step() {
    if (m_version.empty()) {
      auto list = m_client.list(m_resource, m_ns, m_options.selection, [this] { on_wait(); });
      m_version = list.resource_version;
      m_progress = true;
      hand_over({EventKind::listed, {}, std::move(list)});
    }
    const auto began = now();
    LineSplitter lines{[this](std::string_view line) { on_line(line); }};
    Query query;
    query.add("watch", "true").add("resourceVersion", m_version).add("allowWatchBookmarks", "true");
    query.add("timeoutSeconds", std::to_string(server_limit.count()));
    query.add("labelSelector", m_options.selection.labels).add("fieldSelector", m_options.selection.fields);
    m_client.connection().stream({.what = "watch " + text_of(Name{m_resource, m_ns, {}}),
                                  .path = path_of(m_resource, m_ns),
                                  .query = query.text(),
                                  .limit = own_limit,
                                  .on_wait = [this] { on_wait(); }},
                                 lines);
    if (now() - began > std::chrono::seconds{1}) m_progress = true;
  }

  /// Whether an end of the stream is one after which we go on.
  bool forgive(const Error& error) {
    const auto* answer = dynamic_cast<const ApiError*>(&error);
    if (answer != nullptr && answer->status().code == 410) {
      m_version.clear();
      return true;
    }
    return retry_helps(error.kind());
  }

  void on_line(std::string_view line) {
    auto event = read_watch_event(line);
    if (event.type == "ERROR") {
      auto status =
          read_status(event.object).value_or(Status{.code = 500, .message = "an event ERROR without a Status"});
      throw api_error(std::move(status), "watch " + text_of(Name{m_resource, m_ns, {}}), m_client.config().account);
    }
    m_progress = true;
    if (auto version = version_of(event.object); !version.empty()) m_version = std::move(version);
    if (event.type == "BOOKMARK") return;
    const auto kind = event.type == "ADDED"     ? EventKind::added
                      : event.type == "DELETED" ? EventKind::deleted
                                                : EventKind::modified;
    hand_over({kind, std::move(event.object), {}});
  }

  /// What our caller throws is his, and no failure of the stream.
  template <typename Work>
  void guarded(Work&& work) {
    try {
      work();
    } catch (...) {
      m_thrown = std::current_exception();
      throw Leave{};
    }
  }

  void hand_over(const Event& event) {
    auto flow = Flow::go_on;
    guarded([&] { flow = m_handler(event); });
    if (flow == Flow::go_on) return;
    m_end = WatchEnd::stopped;
    throw Leave{};
  }

  void on_wait() {
    if (m_options.time_limit.count() > 0 && now() - m_began >= m_options.time_limit) {
      m_end = WatchEnd::timed_out;
      throw Leave{};
    }
    if (!m_options.on_wait) return;
    guarded([&] { m_options.on_wait(); });
  }

  [[nodiscard]] Clock::time_point now() const { return m_client.connection().timer().now(); }

  Client& m_client;
  const Resource& m_resource;
  const std::string& m_ns;
  const WatchOptions& m_options;
  const std::function<Flow(const Event&)>& m_handler;
  std::string m_version;
  Clock::time_point m_began;
  bool m_progress = false;
  WatchEnd m_end = WatchEnd::stopped;
  std::exception_ptr m_thrown;
};

}  // namespace

WatchEnd Client::watch(const Resource& resource, const std::string& ns, const WatchOptions& options,
                       const std::function<Flow(const Event&)>& handler) {
  return Watch{*this, resource, ns, options, handler}.run();
}

}  // namespace capsule::kube
