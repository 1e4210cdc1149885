#include "documents.hpp"

#include <fmt/format.h>

#include <charconv>

#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "proof/evidence.hpp"

namespace proof_service {

using namespace capsule;

namespace {

constexpr std::size_t max_anchors = 64;
constexpr std::size_t max_pieces = 64;
constexpr std::size_t max_artifacts = 10'000;
constexpr std::size_t max_text = 4096;
constexpr std::uint32_t max_list = 200;
constexpr json::ParseLimits request_limits{std::size_t{1} << 20U, 32};
constexpr json::ParseLimits evidence_limits{proof::max_evidence_bytes + (std::size_t{1} << 20U),
                                            proof::max_evidence_depth + 2};

std::string text_of(const json::Cursor& cursor) {
  const auto& text = cursor.string();
  if (text.size() > max_text) cursor.fail(fmt::format("longer than {} bytes", max_text));
  return text;
}

std::optional<std::string> optional_text(const json::Cursor& parent, std::string_view key) {
  const auto found = parent.optional(key);
  if (!found || found->value().is_null()) return std::nullopt;
  return text_of(*found);
}

/// An object all of whose values are strings.
void expect_texts(const json::Cursor& object) {
  for (const auto& [key, value] : object.members()) static_cast<void>(text_of(value));
}

json::Array array_of_objects(const json::Cursor& cursor, std::size_t limit) {
  const auto elements = cursor.elements();
  if (elements.size() > limit) cursor.fail(fmt::format("more than {} elements", limit));
  for (const auto& element : elements) static_cast<void>(element.object());
  return cursor.array();
}

std::optional<json::Array> optional_objects(const json::Cursor& parent, std::string_view key, std::size_t limit) {
  const auto found = parent.optional(key);
  if (!found || found->value().is_null()) return std::nullopt;
  return array_of_objects(*found, limit);
}

std::uint32_t number_of(const std::string& text, std::string_view name, std::uint32_t least, std::uint32_t most) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < least || number > most)
    throw Error{ErrorKind::invalid_input, fmt::format("query: {} is a number from {} to {}", name, least, most)};
  return number;
}

}  // namespace

Proof parse_generate(const std::string& body) {
  const auto value = json::parse(body, "body", request_limits);
  const json::Cursor top{value, "body"};
  Proof proof;
  proof.inputs.set("title", text_of(top.at("title")));
  expect_texts(top.at("requester"));
  proof.inputs.set("requester", top.at("requester").value());
  const auto artifacts = top.at("artifacts");
  if (artifacts.elements().size() > max_artifacts) artifacts.fail(fmt::format("more than {} elements", max_artifacts));
  for (const auto& artifact : artifacts.elements()) expect_texts(artifact);
  proof.inputs.set("artifacts", artifacts.value());
  for (const auto& type : top.at("proof_types").elements()) static_cast<void>(text_of(type));
  proof.inputs.set("proof_types", top.at("proof_types").value());
  proof.parent = optional_text(top, "parent_proof_id");
  if (const auto anchor = top.optional("anchor"); anchor && !anchor->value().is_null()) {
    proof.utid = optional_text(*anchor, "utid");
    proof.domain = optional_text(*anchor, "domain");
    if (!proof.parent) proof.parent = optional_text(*anchor, "parent_proof_id");
  }
  proof.anchors = optional_objects(top, "anchors", max_anchors).value_or(json::Array{});
  if (const auto metadata = top.optional("metadata"); metadata && !metadata->value().is_null())
    proof.metadata = json::Value{metadata->object()};
  proof.hash = optional_text(top, "proof_hash").value_or("");
  return proof;
}

StatusChange parse_status(const std::string& body) {
  const auto value = json::parse(body, "body", evidence_limits);
  const json::Cursor top{value, "body"};
  StatusChange change;
  const auto state = parse_state(top.at("status").string());
  if (!state) top.at("status").fail("none of queued, processing, verified, validated");
  change.state = *state;
  change.anchors = optional_objects(top, "anchors", max_anchors);
  change.evidence = optional_objects(top, "evidence", max_pieces);
  if (const auto score = top.optional("proof_score"); score && !score->value().is_null())
    change.score = score->number();
  return change;
}

VerifyOrder parse_verify(const std::string& body) {
  const auto value = json::parse(body, "body", request_limits);
  const json::Cursor top{value, "body"};
  return {text_of(top.at("proof_hash")), text_of(top.at("verifier"))};
}

std::map<std::string, std::string> parse_context(const std::string& body) {
  std::map<std::string, std::string> context;
  if (body.empty()) return context;
  const auto value = json::parse(body, "body", request_limits);
  const json::Cursor top{value, "body"};
  static_cast<void>(top.object());
  const auto given = top.optional("context");
  if (!given || given->value().is_null()) return context;
  for (const auto& [key, text] : given->members()) context.emplace(key, text_of(text));
  return context;
}

Filter parse_filter(const std::map<std::string, std::string>& query) {
  const auto find = [&](const char* name) -> std::optional<std::string> {
    const auto found = query.find(name);
    return found == query.end() ? std::nullopt : std::optional{found->second};
  };
  Filter filter{find("utid"),         find("domain"),   find("proof_hash"), find("status"), find("parent_proof_id"),
                find("anchor_chain"), find("anchor_tx")};
  if (const auto limit = find("limit")) filter.limit = number_of(*limit, "limit", 1, max_list);
  if (const auto offset = find("offset")) filter.offset = number_of(*offset, "offset", 0, 2'000'000'000);
  return filter;
}

std::vector<std::string> wanted_types(const Proof& proof) {
  std::vector<std::string> types;
  const auto* list = proof.inputs.find("proof_types");
  if (list == nullptr || list->if_array() == nullptr) return types;
  for (const auto& type : *list->if_array()) {
    if (const auto* text = type.if_string()) types.push_back(*text);
  }
  return types;
}

}  // namespace proof_service
