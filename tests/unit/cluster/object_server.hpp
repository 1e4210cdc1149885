#pragma once

#include <map>

#include "json/write.hpp"
#include "unit/kube/fake_cluster.hpp"

namespace capsule::test {

/// An apiserver that keeps objects, with its preconditions; what others do meanwhile is done in `before`.
struct ObjectServer final : http::Client {
  std::map<std::string, json::Value> objects;  ///< by path below the server's
  std::function<void(const http::Request&)> before;
  std::vector<http::Request> seen;

  http::Response send(const http::Request& request) override {
    seen.push_back(request);
    if (before) before(request);
    const auto path = path_of(request);
    if (request.method == http::Method::post) {
      auto wanted = json::parse(request.body, "body");
      const auto at = path + "/" + text(wanted, "/metadata/name");
      if (objects.contains(at)) return refuse(request, 409, "AlreadyExists");
      return answer(request, 201, put(at, std::move(wanted)));
    }
    const auto found = objects.find(path);
    if (request.method == http::Method::get && is_list(path)) return answer(request, 200, list(path));
    if (found == objects.end()) return refuse(request, 404, "NotFound");
    if (request.method == http::Method::get) return answer(request, 200, found->second);
    const auto body = json::parse(request.body, "body");
    if (request.method == http::Method::put) {
      if (text(body, "/metadata/resourceVersion") != text(found->second, "/metadata/resourceVersion"))
        return refuse(request, 409, "Conflict");
      return answer(request, 200, put(path, body));
    }
    for (const std::string key : {"uid", "resourceVersion"}) {
      const auto wanted = text(body, "/preconditions/" + key);
      if (!wanted.empty() && wanted != text(found->second, "/metadata/" + key)) return refuse(request, 409, "Conflict");
    }
    objects.erase(found);
    return answer(request, 200, json::Object{});
  }

  /// Puts an object as a new version.
  const json::Value& put(const std::string& path, json::Value value) {
    value.if_object()->find("metadata")->if_object()->set("resourceVersion", std::to_string(++m_version));
    return objects[path] = std::move(value);
  }
  /// The path without what the fake cluster's server has before it.
  static std::string path_of(const http::Request& request) {
    return request.url.path().substr(std::string{"/base"}.size());
  }
  static std::string text(const json::Value& value, const std::string& pointer) {
    const auto* found = value.at_pointer(pointer);
    return found == nullptr || found->if_string() == nullptr ? std::string{} : *found->if_string();
  }

 private:
  static bool is_list(const std::string& path) { return path.ends_with("/pods") || path.ends_with("deployments"); }
  [[nodiscard]] json::Value list(const std::string& path) const {
    json::Array items;
    for (const auto& [at, value] : objects) {
      if (at.starts_with(path + "/")) items.push_back(value);
    }
    return json::Object{{"metadata", json::Object{{"resourceVersion", std::to_string(m_version)}}},
                        {"items", std::move(items)}};
  }
  static http::Response answer(const http::Request& request, int status, const json::Value& body) {
    return {status, {{"Content-Type", "application/json"}}, json::compact(body), request.url};
  }
  static http::Response refuse(const http::Request& request, int code, const std::string& reason) {
    return answer(
        request, code,
        json::Object{
            {"kind", "Status"}, {"apiVersion", "v1"}, {"reason", reason}, {"details", json::Object{{"name", "x"}}}});
  }
  int m_version = 0;
};

/// A cluster with Lease `capsule-x` in namespace "team", and a client of it.
struct LeaseWorld {
  ObjectServer server;
  FakeTime time;
  FakeCluster cluster;
  kube::Client client = make();
  static constexpr const char* lease = "/apis/coordination.k8s.io/v1/namespaces/team/leases/capsule-x";

  /// Another holder has it; without a digest: he is about to remove the deployment.
  void hold(const std::string& holder, const std::string& digest = {}) {
    json::Object annotations;
    if (!digest.empty()) annotations.set("capsule.industriverse.ai/digest", digest);
    server.put(lease, json::Object{{"metadata", json::Object{{"annotations", std::move(annotations)}}},
                                   {"spec", json::Object{{"holderIdentity", holder}, {"leaseDurationSeconds", 30}}}});
  }
  [[nodiscard]] std::string holder() const {
    const auto found = server.objects.find(lease);
    return found == server.objects.end() ? "none" : ObjectServer::text(found->second, "/spec/holderIdentity");
  }
  [[nodiscard]] std::chrono::seconds passed() const {
    return std::chrono::duration_cast<std::chrono::seconds>(time.now.time_since_epoch());
  }

 private:
  struct Forward final : http::Client {
    explicit Forward(ObjectServer& to) : next(to) {}
    http::Response send(const http::Request& request) override { return next.send(request); }
    ObjectServer& next;
  };
  kube::Client make() {
    kube::ConnectionOptions options;
    options.timer = time.timer();
    options.make_http = [this](const http::CurlLimits&) { return std::make_unique<Forward>(server); };
    return kube::Client{cluster.config, options};
  }
};

}  // namespace capsule::test
