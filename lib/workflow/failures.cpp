#include "workflow/failures.hpp"

#include <algorithm>
#include <charconv>
#include <vector>

#include "core/error.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"

namespace capsule::workflow {

namespace {

constexpr std::string_view document = "workflow.failures";
constexpr std::size_t most_text = 1000;  // bytes
constexpr std::size_t most_name = 200;

struct Entry {
  std::string node;
  std::string message;
  std::string finished;  ///< RFC 3339, UTC
};

/// Argo quotes the list; a tag inside another text quotes it once more.
json::Value unquoted(std::string_view text) {
  auto value = json::parse(text, document);
  for (int depth = 0; depth < 3 && value.if_string() != nullptr; ++depth)
    value = json::parse(*value.if_string(), document);
  return value;
}

std::string text_of(const json::Cursor& entry, std::string_view name) {
  const auto found = entry.optional(name);
  return found && found->value().if_string() != nullptr ? found->string() : "";
}

/// "verify(0)" is an attempt of verify; capsule-run has a path: "verify/verify(0)".
std::string step_of(std::string node) {
  node.erase(0, node.rfind('/') + 1);
  const auto open = node.rfind('(');
  if (open != std::string::npos && open > 0 && node.ends_with(')') &&
      std::all_of(node.begin() + static_cast<std::ptrdiff_t>(open) + 1, node.end() - 1,
                  [](char c) { return c >= '0' && c <= '9'; }))
    node.resize(open);
  return printable(node, most_name);
}

/// "main: Error (exit code 11): <last words>", in full or without the words.
Reason read(const Entry& entry) {
  constexpr std::string_view mark = "(exit code ";
  Reason out{step_of(entry.node), std::nullopt, entry.message};
  const auto at = entry.message.find(mark);
  if (at != std::string::npos) {
    const auto* const digits = entry.message.data() + at + mark.size();
    const auto* const end = entry.message.data() + entry.message.size();
    int code = 0;
    if (const auto [rest, fault] = std::from_chars(digits, end, code);
        fault == std::errc{} && rest != end && *rest == ')') {
      out.exit_code = code;
      const std::string_view words{rest + 1, static_cast<std::size_t>(end - rest - 1)};
      if (words.starts_with(": ")) out.text = words.substr(2);
    }
  }
  out.text = printable(out.text, most_text);
  return out;
}

/// A group says which child failed, a retry that there is no other attempt: neither is a reason.
bool is_above(const Entry& entry) {
  return entry.message.empty() || entry.message.starts_with("child '") ||
         entry.message.starts_with("No more retries") || entry.message.starts_with("retryStrategy.expression");
}

/// What an entry is worth as a reason.
int worth(const Entry& entry) {
  if (is_above(entry)) return 0;
  return entry.message.find("(exit code ") == std::string::npos ? 1 : 2;
}

}  // namespace

std::optional<Reason> reason_in(std::string_view failures) {
  if (failures.empty()) return std::nullopt;
  const auto value = unquoted(failures);
  if (value.is_null()) return std::nullopt;
  std::vector<Entry> entries;
  for (const auto& entry : json::Cursor{value, std::string{document}}.elements())
    entries.push_back({text_of(entry, "displayName"), text_of(entry, "message"), text_of(entry, "finishedAt")});
  const auto best = std::max_element(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return worth(a) != worth(b) ? worth(a) < worth(b) : a.finished < b.finished;
  });
  if (best == entries.end()) return std::nullopt;
  return read(*best);
}

}  // namespace capsule::workflow
