#include "kube/client.hpp"

#include <fmt/format.h>

#include <array>

#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "kube/query.hpp"
#include "log/log.hpp"

namespace capsule::kube {

namespace {

constexpr int page_size = 500;
constexpr std::size_t warning_limit = 500;  // bytes
constexpr std::string_view json_type = "application/json";

std::string verb_and(std::string_view verb, const Name& name, std::string_view subresource = {}) {
  const auto resource =
      subresource.empty() ? text_of(name.resource) : fmt::format("{}/{}", text_of(name.resource), subresource);
  const auto whole = text_of(name);
  return fmt::format("{} {}{}", verb, resource, whole.substr(text_of(name.resource).size()));
}

/// Of `299 - "text"` (RFC 9111 §5.5): what the apiserver has to say of a deprecated or unknown field, of pod security.
std::string warning_text(std::string_view value) {
  const auto first = value.find('"');
  const auto last = value.rfind('"');
  if (first == last) return printable(value, warning_limit);
  std::string text{value.substr(first + 1, last - first - 1)};
  for (auto at = text.find('\\'); at != std::string::npos; at = text.find('\\', at + 1)) text.erase(at, 1);
  return printable(text, warning_limit);
}

}  // namespace

json::Value parse_object(std::string_view text, std::string_view what) {
  // A custom resource's schema nests deeply, and a page of a list is long.
  return json::parse(text, what, {.bytes = std::size_t{256} << 20U, .depth = 128});
}

Client::Client(Config config, ConnectionOptions options) : m_connection(std::move(config), std::move(options)) {}

json::Value Client::get(const Name& name) {
  const Call call{.what = verb_and("get", name), .path = path_of(name)};
  return parse_object(m_connection.send(call).body, "the cluster's answer");
}

std::optional<json::Value> Client::find(const Name& name) {
  try {
    return get(name);
  } catch (const ApiError& error) {
    if (error.status().code == 404 && error.status().names_object) return std::nullopt;
    throw;
  }
}

std::string Client::for_each(const Resource& resource, const std::string& ns, const Selection& selection,
                             const std::function<void(json::Value)>& take, const std::function<void()>& on_wait) {
  std::string version;
  std::string rest;
  do {
    Query query;
    query.add("limit", std::to_string(page_size)).add("continue", rest);
    query.add("labelSelector", selection.labels).add("fieldSelector", selection.fields);
    const Call call{.what = verb_and("list", {resource, ns, {}}),
                    .path = path_of(resource, ns),
                    .query = query.text(),
                    .on_wait = on_wait};
    auto value = parse_object(m_connection.send(call).body, "the cluster's answer");
    const json::Cursor top{value, "the cluster's list of " + text_of(resource)};
    version = top.at("metadata").at("resourceVersion").string();
    const auto next = top.at("metadata").optional("continue");
    rest = next ? next->string() : std::string{};
    auto* items = value.if_object()->find("items");
    if (items == nullptr || items->if_array() == nullptr) continue;
    for (auto& item : *items->if_array()) take(std::move(item));
  } while (!rest.empty());
  return version;
}

List Client::list(const Resource& resource, const std::string& ns, const Selection& selection,
                  const std::function<void()>& on_wait) {
  List out;
  out.resource_version = for_each(
      resource, ns, selection, [&](json::Value item) { out.items.push_back(std::move(item)); }, on_wait);
  return out;
}

json::Value Client::write(http::Method method, std::string_view verb, const Name& name, std::string path,
                          std::string body, std::string content_type, const Write& how, bool idempotent) {
  Query query;
  query.add("fieldManager", how.field_manager).add("dryRun", how.dry_run ? "All" : "");
  query.add("fieldValidation", how.strict ? "Strict" : "").add("force", how.force ? "true" : "");
  const Call call{.what = verb_and(verb, name, how.subresource),
                  .method = method,
                  .path = std::move(path),
                  .query = query.text(),
                  .body = std::move(body),
                  .content_type = std::move(content_type),
                  .idempotent = idempotent || how.dry_run,
                  .once = how.once,
                  .limit = how.limit};
  const auto response = m_connection.send(call);
  for (const auto& [field, value] : response.headers) {
    if (http::same_name(field, "Warning")) log::warning(fmt::format("{}: {}", call.what, warning_text(value)));
  }
  return parse_object(response.body, "the cluster's answer");
}

json::Value Client::create(const Name& name, const json::Value& object, const Write& how) {
  auto path = how.subresource.empty() ? path_of(name.resource, name.ns) : path_of(name, how.subresource);
  return write(http::Method::post, "create", name, std::move(path), json::compact(object), std::string{json_type}, how,
               false);
}

json::Value Client::apply(const Name& name, const json::Value& object, const Write& how) {
  return write(http::Method::patch, "apply", name, path_of(name, how.subresource), json::compact(object),
               "application/apply-patch+yaml", how, true);
}

json::Value Client::patch(const Name& name, PatchKind kind, const json::Value& patch, const Write& how) {
  const bool merges = kind == PatchKind::merge;
  return write(http::Method::patch, "patch", name, path_of(name, how.subresource), json::compact(patch),
               merges ? "application/merge-patch+json" : "application/json-patch+json", how, merges);
}

json::Value Client::replace(const Name& name, const json::Value& object, const Write& how) {
  return write(http::Method::put, "update", name, path_of(name, how.subresource), json::compact(object),
               std::string{json_type}, how, true);
}

bool Client::remove(const Name& name, const Removal& how) {
  static constexpr std::array<std::string_view, 3> words{"Background", "Foreground", "Orphan"};
  json::Object options{{"apiVersion", "v1"},
                       {"kind", "DeleteOptions"},
                       {"propagationPolicy", words.at(static_cast<std::size_t>(how.propagation))}};
  json::Object preconditions;
  if (!how.uid.empty()) preconditions.set("uid", how.uid);
  if (!how.resource_version.empty()) preconditions.set("resourceVersion", how.resource_version);
  if (!preconditions.empty()) options.set("preconditions", std::move(preconditions));
  if (how.grace) options.set("gracePeriodSeconds", std::int64_t{how.grace->count()});
  if (how.dry_run) options.set("dryRun", json::Array{"All"});
  const Call call{.what = verb_and("delete", name),
                  .method = http::Method::del,
                  .path = path_of(name),
                  .body = json::compact(options),
                  .content_type = std::string{json_type}};
  try {
    m_connection.send(call);
    return true;
  } catch (const ApiError& error) {
    if (error.status().code == 404 && error.status().names_object) return false;
    throw;
  }
}

http::Response Client::proxy(const Name& pod, std::uint16_t port, const PodRequest& request) {
  const Name at{pod.resource, pod.ns, fmt::format("{}:{}", pod.name, port)};
  const auto question = request.path.find('?');
  const Call call{.what = verb_and(request.method == http::Method::get ? "get" : "create", pod, "proxy"),
                  .method = request.method,
                  .path = path_of(at, "proxy") + request.path.substr(0, question),
                  .query = question == std::string::npos ? std::string{} : request.path.substr(question + 1),
                  .body = request.body,
                  .content_type = request.content_type,
                  .idempotent = request.idempotent,
                  .limit = request.limit,
                  .answer_limit = request.answer_limit,
                  .is_final = is_final_word_of_a_pod,
                  .on_wait = request.on_wait};
  auto response = m_connection.exchange(call);
  if (response.status >= 300 && is_status(response)) throw api_error(status_of(response), call.what, config().account);
  return response;
}

std::string Client::log(const Name& pod, const LogOptions& options) {
  Query query;
  query.add("container", options.container).add("previous", options.previous ? "true" : "");
  query.add("tailLines", std::to_string(options.tail_lines)).add("limitBytes", std::to_string(options.limit_bytes));
  const Call call{.what = verb_and("get", pod, "log"), .path = path_of(pod, "log"), .query = query.text()};
  return m_connection.send(call).body;
}

bool Client::can_i(const Action& action) {
  json::Object attributes{{"verb", action.verb},
                          {"group", action.resource.group},
                          {"version", action.resource.version},
                          {"resource", action.resource.plural}};
  if (!action.subresource.empty()) attributes.set("subresource", action.subresource);
  if (!action.ns.empty()) attributes.set("namespace", action.ns);
  if (!action.name.empty()) attributes.set("name", action.name);
  const json::Object review{{"apiVersion", "authorization.k8s.io/v1"},
                            {"kind", "SelfSubjectAccessReview"},
                            {"spec", json::Object{{"resourceAttributes", std::move(attributes)}}}};
  const Name name{resources::self_subject_access_reviews, {}, {}};
  const auto answer = write(http::Method::post, "create", name, path_of(name.resource, {}), json::compact(review),
                            std::string{json_type}, {}, true);
  const auto* allowed = answer.at_pointer("/status/allowed");
  return allowed != nullptr && allowed->if_bool() != nullptr && *allowed->if_bool();
}

bool Client::serves(const Resource& resource, std::string_view subresource) {
  const auto path = path_of(resource, {});
  const Call call{.what = fmt::format("ask what the cluster serves of {}", text_of(resource)),
                  .path = path.substr(0, path.rfind('/'))};
  const auto response = m_connection.exchange(call);
  if (response.status == 404) return false;
  if (response.status != 200) throw api_error(status_of(response), call.what, config().account);
  const auto value = parse_object(response.body, "the cluster's answer");
  const auto wanted = subresource.empty() ? resource.plural : fmt::format("{}/{}", resource.plural, subresource);
  for (const auto& served : json::Cursor{value, "the cluster's answer"}.at("resources").elements()) {
    if (served.at("name").string() == wanted) return true;
  }
  return false;
}

json::Value Client::document(const std::string& path) {
  const Call call{.what = fmt::format("get {}", path), .path = path};
  return parse_object(m_connection.send(call).body, "the cluster's answer");
}

}  // namespace capsule::kube
