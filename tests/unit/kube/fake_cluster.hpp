#pragma once

#include "json/parse.hpp"
#include "kube/client.hpp"
#include "support/fake_http_client.hpp"
#include "support/fake_time.hpp"

namespace capsule::test {

/// A client whose every connection is one fake, and what it is told about the connection.
struct FakeCluster {
  FakeHttpClient http;
  test::FakeTime time;
  std::vector<http::CurlLimits> made;
  int misused = 0;  ///< how often a connection that was at work was asked again, or let go
  kube::Config config;

  struct Forward final : http::Client {
    explicit Forward(FakeCluster& fake) : cluster(fake) {}
    ~Forward() override {
      if (at_work) ++cluster.misused;
    }
    http::Response send(const http::Request& request) override {
      if (std::exchange(at_work, true)) ++cluster.misused;
      try {
        auto response = cluster.http.send(request);
        at_work = false;
        return response;
      } catch (...) {
        at_work = false;
        throw;
      }
    }
    FakeCluster& cluster;
    bool at_work = false;
  };
  struct Fixed final : kube::CredentialSource {
    kube::Credentials current() override { return tokens.size() > 1 && renewed ? tokens.at(1) : tokens.at(0); }
    bool renew() override { return renewed = true; }
    std::vector<kube::Credentials> tokens{{Secret{"first"}, {}, {}}};
    bool renewed = false;
  };
  std::shared_ptr<Fixed> credentials = std::make_shared<Fixed>();

  FakeCluster() {
    config.server = Url::parse("https://a.example/base/");
    config.account = "user 'red' of context 'one'";
    config.source = "/etc/kube/config";
    config.credentials = credentials;
  }
  kube::Client client() {
    kube::ConnectionOptions options;
    options.timer = time.timer();
    options.make_http = [this](const http::CurlLimits& limits) {
      made.push_back(limits);
      return std::make_unique<Forward>(*this);
    };
    return kube::Client{config, options};
  }
  void answer(int status, const std::string& body, http::Headers more = {}) {
    http::Headers headers{{"Content-Type", "application/json"}};
    for (const auto& [name, value] : more) headers.add(name, value);
    http.answer(status, body, headers);
  }
  /// A metav1.Status.
  void fail(int code, const std::string& reason, const std::string& message, const std::string& name = "x") {
    answer(code, R"({"kind":"Status","apiVersion":"v1","status":"Failure","code":)" + std::to_string(code) +
                     R"(,"reason":")" + reason + R"(","message":")" + message + R"(","details":{"name":")" + name +
                     R"("}})");
  }
  [[nodiscard]] std::string asked(std::size_t index) const { return http.seen().at(index).url.text(); }
};

}  // namespace capsule::test
