#include "json/parse.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "json/new_keys.hpp"
#include "json/pointer.hpp"

namespace capsule::json {

namespace {

/// Builds a Value from nlohmann's SAX events, and knows at each moment the pointer of where it is.
class Builder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  Builder(std::string_view what, const ParseLimits& limits) : m_what(what), m_limits(limits) {}

  bool null() override { return add(Value{}); }
  bool boolean(bool value) override { return add(Value{value}); }
  bool number_integer(number_integer_t value) override { return add(Value{static_cast<std::int64_t>(value)}); }
  bool number_unsigned(number_unsigned_t value) override { return add(Value{static_cast<std::uint64_t>(value)}); }
  bool number_float(number_float_t, const string_t& text) override { return add(Value{Number{text}}); }
  bool string(string_t& text) override { return add(Value{std::move(text)}); }
  bool binary(binary_t&) override { return false; }

  bool start_object(std::size_t) override { return open(Value{Object{}}); }
  bool start_array(std::size_t) override { return open(Value{Array{}}); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    auto& frame = m_stack.back();
    frame.key = std::move(name);
    if (!frame.keys.is_new(*frame.value.if_object(), frame.key)) fail("the key is there twice");
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) override {
    fail(fmt::format("not valid JSON at byte {}", position));
  }

  Value take() { return std::move(m_root); }

 private:
  struct Frame {
    Value value;
    std::string key;
    NewKeys keys;
  };

  [[noreturn]] void fail(std::string_view reason) const {
    throw Error{ErrorKind::invalid_input, fmt::format("{}: {} (at {})", m_what, reason, where())};
  }

  [[nodiscard]] std::string where() const {
    std::string pointer;
    for (const auto& frame : m_stack) {
      if (const auto* array = frame.value.if_array())
        pointer = child(pointer, array->size());
      else if (!frame.key.empty())
        pointer = child(pointer, frame.key);
    }
    return pointer.empty() ? "the top" : printable(pointer);
  }

  bool add(Value value) {
    if (m_stack.empty()) {
      m_root = std::move(value);
      return true;
    }
    auto& frame = m_stack.back();
    if (auto* array = frame.value.if_array())
      array->push_back(std::move(value));
    else
      frame.value.if_object()->append(frame.key, std::move(value));
    return true;
  }

  bool open(Value value) {
    if (m_stack.size() >= m_limits.depth) fail(fmt::format("nested deeper than {} levels", m_limits.depth));
    m_stack.push_back({std::move(value), {}, {}});
    return true;
  }

  bool close() {
    Value value = std::move(m_stack.back().value);
    m_stack.pop_back();
    return add(std::move(value));
  }

  std::string_view m_what;
  ParseLimits m_limits;
  std::vector<Frame> m_stack;
  Value m_root;
};

}  // namespace

Value parse(std::string_view text, std::string_view what, const ParseLimits& limits) {
  if (text.size() > limits.bytes) {
    throw Error{ErrorKind::invalid_input, fmt::format("{}: {} is larger than the limit of {}", what,
                                                      human_size(text.size()), human_size(limits.bytes))};
  }
  // nlohmann skips a byte order mark; RFC 8259 §8.1 lets a reader refuse it, and two readers must not differ.
  if (text.starts_with("\xef\xbb\xbf"))
    throw Error{ErrorKind::invalid_input, fmt::format("{}: begins with a byte order mark", what)};
  // nlohmann takes a NUL byte for the end of the text: what stands behind it would go unseen.
  if (const auto nul = text.find('\0'); nul != std::string_view::npos)
    throw Error{ErrorKind::invalid_input, fmt::format("{}: not valid JSON at byte {}: a NUL byte", what, nul + 1)};
  Builder builder{what, limits};
  nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

}  // namespace capsule::json
