#pragma once

#include <map>
#include <string>
#include <string_view>

#include "fs/fd.hpp"
#include "workflow/model.hpp"

namespace capsule::workflow {

/// All files that a run needs, read and checked before anything runs.
struct Library {
  Spec submitted;                                     ///< the file that was given
  std::map<std::string, Spec, std::less<>> referred;  ///< WorkflowTemplates by name, every one that is reached
  std::map<std::string, std::string> texts;  ///< by file name, or templates/<name>: what the run's identity covers

  /// What runs: the submitted spec itself, or the WorkflowTemplate that it refers to.
  [[nodiscard]] const Spec& main() const;
  /// The template that `target` names, seen from `from`. Error usage where there is none.
  struct Resolved {
    const Spec* spec;
    std::shared_ptr<const Template> definition;
    /// The template's own volume of that name, else the workflow's; null where there is none.
    [[nodiscard]] const Volume* volume(std::string_view name) const;
  };
  [[nodiscard]] Resolved resolve(const Spec& from, const TemplateReference& target) const;
};

/// The text of a file that a person names; at most 4 MiB. Error usage for what is no file (a folder, a FIFO) or too
/// large, not_found, denied.
std::string read_named_file(const fs::Path& file);

/// Reads `file` and, from `templates`, every `<name>.yaml` that it needs, directly or not. Error usage (not_found for
/// the file itself) that names the place of the fault.
Library load_library(const fs::Path& file, const fs::Path& templates);

}  // namespace capsule::workflow
