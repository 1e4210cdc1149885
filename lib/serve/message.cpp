#include "serve/message.hpp"

#include <algorithm>

#include "json/write.hpp"

namespace capsule::serve {

namespace {

constexpr std::size_t max_query_keys = 64;

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

enum class Plus { is_plus, is_space };

std::optional<std::string> decode(std::string_view text, Plus plus) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '+' && plus == Plus::is_space) {
      out += ' ';
    } else if (text[at] == '%') {
      if (text.size() - at < 3) return std::nullopt;
      const int high = hex_digit(text[at + 1]);
      const int low = hex_digit(text[at + 2]);
      if (high < 0 || low < 0 || high * 16 + low == 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      at += 2;
    } else {
      out += text[at];
    }
  }
  return out;
}

bool read_query(std::string_view text, std::map<std::string, std::string>& query) {
  while (!text.empty()) {
    const auto pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    auto key = decode(pair.substr(0, equals), Plus::is_space);
    auto value = equals == std::string_view::npos ? std::string{} : decode(pair.substr(equals + 1), Plus::is_space);
    if (!key || !value || query.size() >= max_query_keys) return false;
    if (!query.emplace(std::move(*key), std::move(*value)).second) return false;
  }
  return true;
}

}  // namespace

std::optional<Target> parse_target(std::string_view text) {
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (!plain || !text.starts_with('/')) return std::nullopt;
  const auto question = text.find('?');
  const auto raw_path = text.substr(0, question);
  auto path = decode(raw_path, Plus::is_plus);
  if (!path) return std::nullopt;
  for (std::size_t at = raw_path.find('%'); at != std::string_view::npos; at = raw_path.find('%', at + 1)) {
    if (raw_path[at + 1] == '2' && (raw_path[at + 2] | 0x20) == 'f') return std::nullopt;
  }
  Target target{std::move(*path), {}};
  if (question != std::string_view::npos && !read_query(text.substr(question + 1), target.query)) return std::nullopt;
  return target;
}

const std::string* Request::header(std::string_view name) const noexcept {
  for (const auto& field : headers) {
    if (field.first == name) return &field.second;
  }
  return nullptr;
}

Response refusal(int status, std::string_view detail) {
  return {status, json::compact(json::Object{{"detail", detail}})};
}

}  // namespace capsule::serve
