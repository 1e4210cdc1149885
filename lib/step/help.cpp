#include "step/help.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace capsule::step {

namespace {

std::string_view meaning_of(int code) {
  switch (code) {
    case 0:
      return "done, or already done";
    case 1:
      return "a bug in this program";
    case 2:
      return "a flag, value, key, policy or workflow that cannot be used; nobody trusted";
    case 10:
      return "malformed package, manifest or document";
    case 11:
      return "verification failed: digest, signature, policy, expiry, rollback";
    case 12:
      return "not found: a capsule, or any file that was named";
    case 13:
      return "denied: rights, wrong passphrase";
    case 14:
      return "conflict: the same name is already there with other bytes";
    case 15:
      return "the target lacks what the capsule needs";
    case 16:
      return "the capsule's own script, run or hook failed";
    case 40:
      return "unavailable; a retry can help";
    case 41:
      return "timed out; a retry can help";
    case 42:
      return "busy: locked by another process; a retry can help";
    default:
      return "?";
  }
}

}  // namespace

std::vector<std::pair<int, std::string_view>> exit_codes_of(const Manual& manual) {
  std::vector<std::pair<int, std::string_view>> out;
  for (const int code : {0, 1, 2}) out.emplace_back(code, meaning_of(code));
  for (const int code : manual.exit_codes) out.emplace_back(code, meaning_of(code));
  return out;
}

std::string footer_of(const Manual& manual) {
  std::string out;
  if (!manual.outputs.empty()) {
    std::size_t width = 0;
    for (const auto& output : manual.outputs) width = std::max(width, output.name.size());
    out += "Outputs:\n";
    for (const auto& output : manual.outputs) out += fmt::format("  {:<{}}  {}\n", output.name, width, output.text);
    out += "\n";
  }
  out += "Exit codes:\n";
  for (const auto& [code, meaning] : exit_codes_of(manual)) out += fmt::format("  {:>2}  {}\n", code, meaning);
  if (!manual.example.empty()) out += fmt::format("\nExample:\n  {}\n", manual.example);
  return out;
}

}  // namespace capsule::step
