// Calls lib/kube as its arguments say, for the Python tests: one call, its result on stdout, its error on stderr.
#include <fmt/format.h>

#include <cstdio>
#include <iostream>
#include <iterator>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "core/time.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "kube/client.hpp"
#include "kube/lease.hpp"

namespace {

using namespace capsule;
using namespace capsule::kube;

/// `--key=value` apart from the rest.
struct Arguments {
  std::map<std::string, std::string> options;
  std::vector<std::string> rest;

  Arguments(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
      const std::string text{argv[i]};
      const auto equals = text.find('=');
      if (text.starts_with("--"))
        options[text.substr(2, equals - 2)] = equals == std::string::npos ? "yes" : text.substr(equals + 1);
      else
        rest.push_back(text);
    }
  }
  [[nodiscard]] std::string option(const std::string& name) const {
    const auto found = options.find(name);
    return found == options.end() ? std::string{} : found->second;
  }
  [[nodiscard]] std::chrono::milliseconds duration(const std::string& name, const std::string& otherwise) const {
    const auto text = option(name);
    return parse_duration(text.empty() ? otherwise : text);
  }
  [[nodiscard]] const std::string& at(std::size_t index) const { return rest.at(index); }
};

/// "pods", "deployments.v1.apps".
Resource resource_of(const std::string& text) {
  const auto dot = text.find('.');
  if (dot == std::string::npos) return {"", "v1", text};
  const auto second = text.find('.', dot + 1);
  return {text.substr(second + 1), text.substr(dot + 1, second - dot - 1), text.substr(0, dot)};
}

Name name_of(const Arguments& arguments) {
  return {resource_of(arguments.at(1)), arguments.option("ns"), arguments.rest.size() > 2 ? arguments.at(2) : ""};
}

json::Value input() {
  return json::parse(std::string{std::istreambuf_iterator<char>{std::cin}, {}}, "stdin");
}

void print(const json::Value& value) {
  fmt::print("{}\n", json::compact(value));
  std::fflush(stdout);
}

Write write_of(const Arguments& arguments) {
  Write out;
  out.subresource = arguments.option("subresource");
  out.dry_run = !arguments.option("dry-run").empty();
  out.strict = !arguments.option("strict").empty();
  out.force = !arguments.option("force").empty();
  if (const auto manager = arguments.option("manager"); !manager.empty()) out.field_manager = manager;
  return out;
}

/// Prints an event a line: "listed N", "added NAME VERSION", …; with --inside makes a request from within.
void watch(Client& client, const Arguments& arguments) {
  WatchOptions options;
  options.selection = {arguments.option("labels"), arguments.option("fields")};
  options.from = arguments.option("from");
  options.time_limit = arguments.duration("time", "10s");
  options.outage = arguments.duration("outage", "30s");
  int left = arguments.option("count").empty() ? 1'000'000 : std::stoi(arguments.option("count"));
  if (!arguments.option("throw").empty()) options.on_wait = [] { throw Error{ErrorKind::busy, "had enough"}; };
  const auto end = client.watch(resource_of(arguments.at(1)), arguments.option("ns"), options, [&](const Event& event) {
    static constexpr std::array<const char*, 4> words{"listed", "added", "modified", "deleted"};
    const auto* word = words.at(static_cast<std::size_t>(event.kind));
    if (event.kind == EventKind::listed)
      fmt::print("{} {} {}\n", word, event.list.items.size(), event.list.resource_version);
    else
      fmt::print("{} {} {}\n", word, *event.object.at_pointer("/metadata/name")->if_string(),
                 *event.object.at_pointer("/metadata/resourceVersion")->if_string());
    if (!arguments.option("inside").empty()) fmt::print("inside {}\n", client.serves(resources::pods));
    std::fflush(stdout);
    return --left > 0 ? Flow::go_on : Flow::stop;
  });
  fmt::print("{}\n", end == WatchEnd::stopped ? "stopped" : "timed out");
}

void proxy(Client& client, const Arguments& arguments) {
  PodRequest request;
  request.path = arguments.at(4);
  request.limit = arguments.duration("limit", "30s");
  if (!arguments.option("post").empty()) {
    request.method = http::Method::post;
    request.body = arguments.option("post");
  }
  const Name pod{resources::pods, arguments.option("ns"), arguments.at(2)};
  const auto response = client.proxy(pod, static_cast<std::uint16_t>(std::stoi(arguments.at(3))), request);
  fmt::print("{} {}\n", response.status, response.body);
}

/// Takes a lease and holds it: "held NUMBER", then after `--hold` "released"; "not held" where another has it.
void hold_lease(Client& client, const Arguments& arguments) {
  const auto duration = std::chrono::duration_cast<std::chrono::seconds>(arguments.duration("duration", "30s"));
  Lease lease{client, {resources::leases, arguments.option("ns"), arguments.at(1)}, arguments.at(2), duration};
  if (!lease.acquire(arguments.duration("patience", "1ms"), {{"of", arguments.at(2)}})) {
    fmt::print("not held: {} has it\n", lease.record().annotations.at("of"));
    return;
  }
  fmt::print("held {}\n", lease.transitions());
  std::fflush(stdout);
  const auto until = std::chrono::steady_clock::now() + arguments.duration("hold", "1ms");
  while (std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
    lease.keep();
  }
  lease.release();
  fmt::print("released\n");
}

void call(Client& client, const Arguments& arguments) {
  const auto& verb = arguments.at(0);
  if (verb == "get") return print(client.get(name_of(arguments)));
  if (verb == "find") return print(client.find(name_of(arguments)).value_or(nullptr));
  if (verb == "create") return print(client.create(name_of(arguments), input(), write_of(arguments)));
  if (verb == "apply") return print(client.apply(name_of(arguments), input(), write_of(arguments)));
  if (verb == "merge") return print(client.patch(name_of(arguments), PatchKind::merge, input(), write_of(arguments)));
  if (verb == "patch")
    return print(client.patch(name_of(arguments), PatchKind::operations, input(), write_of(arguments)));
  if (verb == "replace") return print(client.replace(name_of(arguments), input(), write_of(arguments)));
  if (verb == "delete") {
    const Removal how{.uid = arguments.option("uid"), .resource_version = arguments.option("version")};
    return print(client.remove(name_of(arguments), how));
  }
  if (verb == "list") {
    const auto began = std::chrono::steady_clock::now();
    const auto inside = [&] {
      if (std::chrono::steady_clock::now() - began < std::chrono::seconds{1}) return;
      fmt::print("inside {}\n", json::compact(client.document("/version")));
    };
    const auto list = client.list(resource_of(arguments.at(1)), arguments.option("ns"),
                                  {arguments.option("labels"), arguments.option("fields")},
                                  arguments.option("inside").empty() ? std::function<void()>{} : inside);
    for (const auto& item : list.items) print(*item.at_pointer("/metadata/name"));
    return;
  }
  if (verb == "watch") return watch(client, arguments);
  if (verb == "lease") return hold_lease(client, arguments);
  if (verb == "proxy") return proxy(client, arguments);
  if (verb == "log") {
    fmt::print("{}", client.log(name_of(arguments), {.container = arguments.option("container")}));
    return;
  }
  if (verb == "can-i") {
    return print(client.can_i(
        {arguments.at(1), resource_of(arguments.at(2)), arguments.option("subresource"), arguments.option("ns")}));
  }
  if (verb == "serves") return print(client.serves(resource_of(arguments.at(1)), arguments.option("subresource")));
  if (verb == "document") return print(client.document(arguments.at(1)));
  throw Error{ErrorKind::usage, "the driver knows no " + verb};
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Arguments arguments{argc, argv};
    ConnectionOptions options;
    options.retry.total = arguments.duration("retry", "30s");
    options.limit = arguments.duration("try", "30s");
    Client client{load({arguments.option("kubeconfig"), arguments.option("context")}), options};
    for (int times = arguments.option("times").empty() ? 1 : std::stoi(arguments.option("times")); times > 0; --times)
      call(client, arguments);
    if (!arguments.option("requests").empty()) fmt::print("requests {}\n", client.requests());
    return 0;
  } catch (const Error& error) {
    fmt::print(stderr, "{}\n", error.message());
    return exit_code(error.kind());
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
