#include "cluster/field_paths.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "json/parse.hpp"

namespace capsule::cluster {

namespace {

constexpr std::string_view itself = ".";

json::Value parsed(std::string_view text) {
  try {
    return json::parse(text, "a step of managedFields");
  } catch (const Error&) {
    return {};  // whoever wrote that
  }
}

bool has_keys(const json::Value& entry, const json::Value& keys) {
  if (entry.if_object() == nullptr || keys.if_object() == nullptr) return false;
  return std::all_of(keys.if_object()->begin(), keys.if_object()->end(), [&](const json::Member& key) {
    const auto* found = entry.if_object()->find(key.first);
    return found != nullptr && *found == key.second;
  });
}

/// The place in a list that a step names; its size where there is none.
std::size_t place(const json::Array& list, std::string_view step) {
  const auto rest = parsed(step.substr(2));
  const bool by_value = step.starts_with("v:");
  if (step.starts_with("i:")) {
    const auto number = rest.if_number() == nullptr ? -1.0 : json::to_double(*rest.if_number());
    return number >= 0 && number < static_cast<double>(list.size()) ? static_cast<std::size_t>(number) : list.size();
  }
  const auto found = std::find_if(list.begin(), list.end(), [&](const json::Value& entry) {
    return by_value ? entry == rest : has_keys(entry, rest);
  });
  return static_cast<std::size_t>(found - list.begin());
}

/// `Any`: a value, or one that is not to be changed.
template <typename Any>
Any* step_into(Any& value, const std::string& step) {
  if (step.size() < 2) return nullptr;
  if (auto* object = value.if_object())
    return step.starts_with("f:") ? object->find(std::string_view{step}.substr(2)) : nullptr;
  auto* list = value.if_array();
  if (list == nullptr || step.starts_with("f:")) return nullptr;
  const auto at = place(*list, step);
  return at < list->size() ? &(*list)[at] : nullptr;
}

template <typename Any>
Any* walk(Any& value, const FieldPath& path, std::size_t steps) {
  auto* at = &value;
  for (std::size_t i = 0; i < steps && at != nullptr; ++i) at = step_into(*at, path[i]);
  return at;
}

/// No steps are below.
bool is_whole(const json::Value& set) {
  return set.if_object() == nullptr || set.if_object()->empty();
}

void collect_beyond(const json::Value& set, const json::Value& than, FieldPath& path, std::vector<FieldPath>& out) {
  if (set.if_object() == nullptr) return;
  for (const auto& [step, below] : *set.if_object()) {
    if (step == itself) continue;
    const auto* there = than.if_object() == nullptr ? nullptr : than.if_object()->find(step);
    path.push_back(step);
    if (there == nullptr)
      out.push_back(path);
    else
      collect_beyond(below, *there, path, out);
    path.pop_back();
  }
}

void unite(json::Object& a, const json::Object& b, FieldPath& path,
           const std::function<bool(const FieldPath& path)>& takes) {
  for (const auto& [step, below] : b) {
    path.push_back(step);
    auto* there = a.find(step);
    if (there != nullptr || takes(path)) {
      const bool is_new = there == nullptr;
      if (is_new) there = &a.set(step, json::Object{});
      if (there->if_object() != nullptr && below.if_object() != nullptr)
        unite(*there->if_object(), *below.if_object(), path, takes);
      // Nothing of what is below was taken: without steps it would stand for all of it.
      if (is_new && is_whole(*there) && !is_whole(below)) a.erase(step);
    }
    path.pop_back();
  }
}

json::Value extracted_list(const json::Array& list, const json::Object& set) {
  std::vector<std::pair<std::size_t, json::Value>> found;
  for (const auto& [step, below] : set) {
    if (step.size() < 2) continue;
    if (const auto at = place(list, step); at < list.size()) found.emplace_back(at, extracted(list[at], below));
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  json::Array out;
  for (auto& one : found) out.push_back(std::move(one.second));
  return out;
}

/// The step to a list's entry, for people.
std::string text_of_entry(std::string_view step) {
  const auto keys = parsed(step.substr(2));
  std::string out;
  if (const auto* object = keys.if_object()) {
    for (const auto& [name, value] : *object) {
      const auto* text = value.if_string();
      const auto* number = value.if_number();
      out += fmt::format("{}{}={}", out.empty() ? "" : ",", name,
                         text != nullptr     ? *text
                         : number != nullptr ? number->text
                                             : "…");
    }
  }
  return fmt::format("[{}]", out.empty() ? std::string{step.substr(2)} : out);
}

}  // namespace

json::Object united(const json::Object& a, const json::Object& b,
                    const std::function<bool(const FieldPath& path)>& takes) {
  auto out = a;
  FieldPath path;
  unite(out, b, path, takes);
  return out;
}

std::vector<FieldPath> beyond(const json::Value& set, const json::Value& than) {
  std::vector<FieldPath> out;
  FieldPath path;
  collect_beyond(set, than, path, out);
  return out;
}

json::Value extracted(const json::Value& value, const json::Value& set) {
  if (is_whole(set)) return value;
  const auto* steps = set.if_object();
  if (const auto* list = value.if_array()) return extracted_list(*list, *steps);
  const auto* object = value.if_object();
  if (object == nullptr) return value;
  json::Object out;
  for (const auto& [name, below] : *object)
    if (const auto* found = steps->find("f:" + name)) out.set(name, extracted(below, *found));
  return out;
}

const json::Value* at_path(const json::Value& value, const FieldPath& path) {
  return walk(value, path, path.size());
}

void erase_at(json::Value& value, const FieldPath& path) {
  if (path.empty() || path.back().size() < 2) return;
  auto* parent = walk(value, path, path.size() - 1);
  if (parent == nullptr) return;
  const auto& step = path.back();
  if (auto* object = parent->if_object(); object != nullptr && step.starts_with("f:"))
    object->erase(std::string_view{step}.substr(2));
  if (auto* list = parent->if_array(); list != nullptr && !step.starts_with("f:")) {
    const auto at = place(*list, step);
    if (at < list->size()) list->erase(list->begin() + static_cast<std::ptrdiff_t>(at));
  }
}

std::string text_of(const FieldPath& path, std::size_t from) {
  constexpr std::size_t max_text = 200;
  std::string out;
  for (std::size_t i = from; i < path.size(); ++i) {
    if (path[i].size() < 2) continue;
    if (path[i].starts_with("f:"))
      out += fmt::format("{}{}", out.empty() ? "" : ".", path[i].substr(2));
    else
      out += text_of_entry(path[i]);
  }
  return printable(out, max_text);
}

}  // namespace capsule::cluster
