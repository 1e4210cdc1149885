#pragma once

#include <map>
#include <string>

#include "workflow/library.hpp"

namespace capsule::workflow {

/// Finds, before anything runs, what could not go well whatever the steps do: templates and volumes that are not there,
/// names that are there twice, arguments that a template lacks or does not have, unknown tags, expressions that are not
/// understood, tasks that wait for each other in a circle. `arguments` are the workflow's. Covers all that can be
/// reached from the entrypoint and the exit hook. Error usage that names file and JSON pointer. Pure.
void check_library(const Library& library, const std::map<std::string, std::string>& arguments);

}  // namespace capsule::workflow
