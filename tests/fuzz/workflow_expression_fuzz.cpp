// Any text as an expression of each dialect and as a text with tags. What evaluates also passes the check of its form;
// two negations change nothing; a text's value holds no more than the text and the values that it names.

#include <cstdlib>

#include "core/error.hpp"
#include "workflow/expression.hpp"
#include "workflow/substitution.hpp"

using namespace capsule;

namespace {

constexpr std::string_view value = "{{b}}";

std::optional<json::Value> lookup(std::string_view path) {
  if (path == "a" || path == "inputs.parameters.a") return json::Value{value};
  if (path == "lastRetry.exitCode") return json::Value{"40"};
  if (path == "yes") return json::Value{true};
  return std::nullopt;
}

void try_expression(std::string_view text, workflow::Dialect dialect) {
  try {
    const bool is_true = workflow::evaluate_condition(text, dialect, lookup);
    workflow::check_expression(text, dialect, lookup);
    if (text.size() > 1000) return;
    if (workflow::evaluate_condition("!(" + std::string{text} + ")", dialect, lookup) == is_true) std::abort();
  } catch (const Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  for (const auto dialect : {workflow::Dialect::expr, workflow::Dialect::when, workflow::Dialect::depends})
    try_expression(text, dialect);
  try {
    const auto out = workflow::substitute(text, lookup);
    workflow::check_tags(text, lookup);
    if (out.size() > 8 * text.size() + 16) std::abort();
  } catch (const Error&) {
  }
  return 0;
}
