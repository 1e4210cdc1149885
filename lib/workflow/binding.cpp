#include "workflow/binding.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "json/parse.hpp"
#include "workflow/size.hpp"
#include "workflow/substitution.hpp"

namespace capsule::workflow {

void check_allowed(const Parameter& parameter, const std::string& value) {
  if (parameter.allowed.empty() ||
      std::find(parameter.allowed.begin(), parameter.allowed.end(), value) != parameter.allowed.end())
    return;
  throw Error{ErrorKind::usage,
              fmt::format("'{}' is not among the values that '{}' allows: {}", printable(value), parameter.name,
                          printable(fmt::format("{}", fmt::join(parameter.allowed, ", "))))};
}

std::map<std::string, std::string> argument_values(const std::vector<Parameter>& arguments, const Scope& scope) {
  std::map<std::string, std::string> out;
  std::size_t bytes = 0;
  for (const auto& argument : arguments) {
    with_trace(fmt::format("argument '{}'", argument.name), [&] {
      if (argument.value)
        out.insert_or_assign(argument.name, substitute(*argument.value, scope.lookup()));
      else if (argument.from && !argument.from->expression.empty())
        out.insert_or_assign(argument.name,
                             parameter_text(evaluate(argument.from->expression, Dialect::expr, scope.lookup())));
      else
        throw Error{ErrorKind::usage, "it has no value"};
      check_allowed(argument, out[argument.name]);
      if (bytes += out[argument.name].size(); bytes > max_value_bytes) {
        throw Error{ErrorKind::invalid_input,
                    fmt::format("the arguments are together larger than {}", human_size(max_value_bytes))};
      }
    });
  }
  return out;
}

json::Array list_of(std::string_view text) {
  const auto value = json::parse(text, "withParam");
  if (!value.is_array()) throw Error{ErrorKind::invalid_input, "withParam: a JSON array is wanted"};
  return *value.if_array();
}

void bind_inputs(const Template& definition, const std::map<std::string, std::string>& arguments, Scope& scope) {
  for (const auto& input : definition.inputs) {
    const auto given = arguments.find(input.name);
    auto value = given != arguments.end() ? std::optional{given->second}
                 : input.value            ? input.value
                                          : input.default_value;
    if (!value) {
      throw Error{ErrorKind::usage,
                  fmt::format("{}: the template '{}' gets no '{}'", definition.place, definition.name, input.name)};
    }
    with_trace(definition.place, [&] { check_allowed(input, *value); });
    scope.set("inputs.parameters." + input.name, *std::move(value));
  }
}

void bind_outputs(const Template& definition, const Scope& scope, Outcome& outcome) {
  for (const auto& output : definition.outputs) {
    if (!output.from) continue;
    try {
      const auto value = output.from->expression.empty()
                             ? substitute(output.from->parameter, scope.lookup())
                             : parameter_text(evaluate(output.from->expression, Dialect::expr, scope.lookup()));
      outcome.outputs.insert_or_assign(output.name, value);
    } catch (const Error& error) {
      // A skipped or failed task leaves no output; then the default counts.
      if (output.from->default_value)
        outcome.outputs.insert_or_assign(output.name, *output.from->default_value);
      else if (outcome.phase == Phase::succeeded)
        throw error.within(fmt::format("{}, output '{}'", definition.place, output.name));
    }
  }
}

}  // namespace capsule::workflow
