#include "yaml/parse.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <charconv>
#include <cmath>
#include <set>
#include <sstream>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/utf8.hpp"
#include "json/new_keys.hpp"
#include "yaml/anchors.hpp"

namespace capsule::yaml {

namespace {

bool is_decimal_number(std::string_view text) {
  // JSON's grammar of a number, so that its text can be kept as it is.
  std::size_t i = text.starts_with('-') ? 1 : 0;
  const auto digits = [&] {
    const auto start = i;
    while (i < text.size() && text[i] >= '0' && text[i] <= '9') ++i;
    return i - start;
  };
  const auto first = i;
  const auto count = digits();
  if (count == 0 || (count > 1 && text[first] == '0')) return false;
  if (i < text.size() && text[i] == '.') {
    ++i;
    if (digits() == 0) return false;
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) ++i;
    if (digits() == 0) return false;
  }
  return i == text.size();
}

json::Value plain_scalar(const std::string& text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return {};
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  if (is_decimal_number(text)) return json::Number{text};
  return text;
}

/// Builds JSON values from yaml-cpp's events.
class Builder final : public YAML::EventHandler {
 public:
  Builder(std::string_view what, const ParseLimits& limits) : m_what(what), m_limits(limits) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    m_root = json::Value{};
    m_start = mark;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(mark, json::Value{}, anchor); }
  void OnAnchor(const YAML::Mark& mark, const std::string&) override {
    if (m_limits.aliases == Aliases::refuse) fail(mark, "anchors are not accepted");
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (m_limits.aliases == Aliases::refuse) fail(mark, "aliases are not accepted");
    const auto* found = m_anchors.find(anchor);
    if (found == nullptr) fail(mark, "an alias stands within what it stands for");
    if (!m_anchors.use(*found)) fail(mark, too_much);
    if (m_stack.size() + found->depth > m_limits.depth) fail_deep(mark);
    const auto* text = found->value.if_string();
    if (!awaits_key()) return add(mark, found->value);
    if (text == nullptr) fail(mark, "a key must be a string");
    take_key(mark, *text, false);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    if (tag != "?" && tag != "!" && !tag.empty()) fail(mark, fmt::format("the tag {} is not accepted", printable(tag)));
    if (awaits_key()) {
      keep(mark, anchor, value);
      take_key(mark, value, m_limits.aliases == Aliases::expand && tag == "?" && value == "<<");
      return;
    }
    add(mark, tag == "?" ? plain_scalar(value) : json::Value{value}, anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, json::Value{json::Array{}}, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, json::Value{json::Object{}}, anchor);
  }
  void OnMapEnd() override { close(); }

  json::Value take() { return std::move(m_root); }
  [[nodiscard]] const YAML::Mark& start() const noexcept { return m_start; }

 private:
  struct Frame {
    json::Value value;
    std::string key;
    bool has_key = false;
    json::NewKeys keys;
    YAML::anchor_t anchor = YAML::NullAnchor;
    bool merges = false;           ///< the key is a merge key
    std::set<std::string> merged;  ///< keys that came by one, and may be there once more
  };
  static constexpr std::string_view too_much = "anchors and aliases hold more than is accepted";

  [[noreturn]] void fail(const YAML::Mark& mark, std::string_view reason) const {
    throw Error{ErrorKind::usage,
                fmt::format("{}: {} (line {}, column {})", m_what, reason, mark.line + 1, mark.column + 1)};
  }

  [[noreturn]] void fail_deep(const YAML::Mark& mark) const {
    fail(mark, fmt::format("nested deeper than {} levels", m_limits.depth));
  }

  void keep(const YAML::Mark& mark, YAML::anchor_t anchor, const json::Value& value) {
    if (anchor != YAML::NullAnchor && !m_anchors.keep(anchor, value)) fail(mark, too_much);
  }

  [[nodiscard]] bool awaits_key() const {
    return !m_stack.empty() && m_stack.back().value.is_object() && !m_stack.back().has_key;
  }

  void take_key(const YAML::Mark& mark, const std::string& key, bool merges) {
    auto& frame = m_stack.back();
    frame.key = key;
    frame.has_key = true;
    frame.merges = merges;
    if (merges || frame.keys.is_new(*frame.value.if_object(), key)) return;
    if (frame.merged.erase(key) == 0) fail(mark, fmt::format("the key '{}' is there twice", printable(key)));
    frame.value.if_object()->erase(key);
  }

  void merge(const YAML::Mark& mark, const json::Value& from) {
    if (!from.is_object()) fail(mark, "a merge key takes a map, or a list of maps");
    auto& frame = m_stack.back();
    auto& object = *frame.value.if_object();
    for (const auto& [key, value] : *from.if_object()) {
      if (frame.keys.is_new(object, key))
        object.append(key, value);
      else
        object.set(key, value);
      frame.merged.insert(key);
    }
  }

  void add(const YAML::Mark& mark, json::Value value, YAML::anchor_t anchor = YAML::NullAnchor) {
    keep(mark, anchor, value);
    if (m_stack.empty()) {
      m_root = std::move(value);
      return;
    }
    auto& frame = m_stack.back();
    if (auto* array = frame.value.if_array()) {
      array->push_back(std::move(value));
      return;
    }
    if (!frame.has_key) fail(mark, "a key must be a string");
    frame.has_key = false;
    if (!frame.merges) return frame.value.if_object()->append(frame.key, std::move(value));
    const auto* list = value.if_array();
    if (list == nullptr) return merge(mark, value);
    for (auto one = list->rbegin(); one != list->rend(); ++one) merge(mark, *one);  // the first of them counts
  }

  void open(const YAML::Mark& mark, const std::string& tag, json::Value value, YAML::anchor_t anchor) {
    if (tag != "?" && tag != "!" && !tag.empty()) fail(mark, fmt::format("the tag {} is not accepted", printable(tag)));
    if (awaits_key()) fail(mark, "a key must be a string");
    if (m_stack.size() >= m_limits.depth) fail_deep(mark);
    m_mark = mark;
    auto& frame = m_stack.emplace_back();
    frame.value = std::move(value);
    frame.anchor = anchor;
  }

  void close() {
    json::Value value = std::move(m_stack.back().value);
    const auto anchor = m_stack.back().anchor;
    m_stack.pop_back();
    add(m_mark, std::move(value), anchor);
  }

  std::string_view m_what;
  ParseLimits m_limits;
  YAML::Mark m_mark;
  YAML::Mark m_start;
  std::vector<Frame> m_stack;
  Anchors m_anchors;
  json::Value m_root;
};

}  // namespace

std::vector<json::Value> parse_all(std::string_view text, std::string_view what, const ParseLimits& limits) {
  if (text.size() > limits.bytes) {
    throw Error{ErrorKind::usage, fmt::format("{}: {} is larger than the limit of {}", what, human_size(text.size()),
                                              human_size(limits.bytes))};
  }
  if (!utf8::is_valid(text)) throw Error{ErrorKind::usage, fmt::format("{}: not valid UTF-8", what)};
  std::vector<json::Value> documents;
  try {
    std::istringstream stream{std::string{text}};
    YAML::Parser parser{stream};
    int last_start = -1;
    while (true) {
      Builder builder{what, limits};
      if (!parser.HandleNextDocument(builder)) break;
      // At a token that can begin no document the parser gives empty documents for ever.
      if (builder.start().pos == last_start) throw YAML::ParserException{builder.start(), "text behind the document"};
      last_start = builder.start().pos;
      documents.push_back(builder.take());
    }
  } catch (const YAML::Exception& error) {
    throw Error{ErrorKind::usage, fmt::format("{}: not valid YAML: {} (line {}, column {})", what, printable(error.msg),
                                              error.mark.line + 1, error.mark.column + 1)};
  }
  std::erase_if(documents, [](const json::Value& document) { return document.is_null(); });
  return documents;
}

json::Value parse(std::string_view text, std::string_view what, const ParseLimits& limits) {
  auto documents = parse_all(text, what, limits);
  if (documents.size() != 1) {
    throw Error{ErrorKind::usage, fmt::format("{}: one document is wanted, {} are there", what, documents.size())};
  }
  return std::move(documents.front());
}

}  // namespace capsule::yaml
