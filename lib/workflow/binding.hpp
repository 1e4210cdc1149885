#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "json/value.hpp"
#include "workflow/model.hpp"
#include "workflow/scope.hpp"

namespace capsule::workflow {

/// Error usage for a value that the parameter does not allow (enum).
void check_allowed(const Parameter& parameter, const std::string& value);

/// The values of a call's arguments in the caller's scope. Error usage for one that is missing or not allowed.
std::map<std::string, std::string> argument_values(const std::vector<Parameter>& arguments, const Scope& scope);

/// The list of a withParam whose tags are put in. Error invalid_input.
json::Array list_of(std::string_view text);

/// A template's inputs as names in its scope: given values, else values and defaults of its own. Error usage for one
/// that is missing, surplus or not allowed (enum).
void bind_inputs(const Template& definition, const std::map<std::string, std::string>& arguments, Scope& scope);

/// The outputs of a steps or DAG template, once its tasks are done: valueFrom.parameter or .expression, else its
/// default where the task left none.
void bind_outputs(const Template& definition, const Scope& scope, Outcome& outcome);

}  // namespace capsule::workflow
