#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "json/value.hpp"

namespace capsule::workflow {

/// What a name in an expression stands for, or nothing where it stands for nothing. Names are paths as written:
/// "lastRetry.exitCode", "inputs.parameters.publish".
using Lookup = std::function<std::optional<json::Value>(std::string_view path)>;

/// Three dialects of one grammar (||, &&, !, == != < <= > >=, in [...], parentheses, numbers, quoted strings).
enum class Dialect {
  expr,  ///< `{{=…}}` and retryStrategy.expression: names are looked up, also as a['b']; asInt, asFloat, string are
         ///< functions; an unknown name is an error
  when,  ///< `when`: a bare word is a string, and `{{tag}}` or `{{=expr}}` is one operand, whatever its value holds: no
         ///< value can become an operator
  depends,  ///< `depends`: a name is a task, alone or with .Succeeded, .Failed, … behind it; names may hold '-'; only
            ///< ||, && and ! join them
};

/// Evaluates `text`. Errors usage: not of the grammar, an unknown name or function, operands of the wrong type. Pure;
/// bounded by the text's length and a depth of 64.
json::Value evaluate(std::string_view text, Dialect dialect, const Lookup& lookup);

/// The same, where true or false must come out.
bool evaluate_condition(std::string_view text, Dialect dialect, const Lookup& lookup);

/// Whether evaluate() could understand `text` for some values: its grammar, functions, and that `lookup` knows every
/// name (what it gives does not count). Error usage otherwise. For finding faults before anything runs.
void check_expression(std::string_view text, Dialect dialect, const Lookup& lookup);

/// The names of tasks that a `depends` speaks of, without what is behind the dot.
std::vector<std::string> tasks_in(std::string_view depends);

}  // namespace capsule::workflow
