#include "workflow/library.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/semver.hpp"
#include "yaml/parse.hpp"

namespace capsule::workflow {

namespace {

constexpr std::size_t max_file_bytes = std::size_t{4} << 20U;
constexpr std::size_t max_files = 1000;

class Loader {
 public:
  Loader(Library& library, fs::Path templates) : m_library(library), m_templates(std::move(templates)) {}

  /// `name`: what the run's identity knows the file by.
  Spec read(const fs::Path& file, std::string name) {
    auto text = read_named_file(file);
    auto spec = read_spec(yaml::parse(text, file.string()), file.string());
    m_library.texts.emplace(std::move(name), std::move(text));
    return spec;
  }

  /// Loads what `spec` refers to, then what that refers to.
  void follow_all(const Spec& spec) {
    for (m_open.push_back(&spec); !m_open.empty();) {
      const auto* next = m_open.back();
      m_open.pop_back();
      follow(*next);
    }
  }

 private:
  void follow(const Spec& spec) {
    if (!spec.template_reference.empty()) need(spec.template_reference);
    if (spec.exit_hook) need(spec.exit_hook->target.name);
    for (const auto& definition : spec.templates) {
      for (const auto& group : definition->steps) follow_tasks(group);
      follow_tasks(definition->dag);
    }
  }

  void follow_tasks(const std::vector<Task>& tasks) {
    for (const auto& task : tasks) {
      with_trace(task.place, [&] {
        need(task.target.name);
        if (task.exit_hook) need(task.exit_hook->target.name);
      });
    }
  }

  void need(const std::string& name) {
    if (name.empty() || m_library.referred.contains(name)) return;
    if (m_library.referred.size() == max_files)
      throw Error{ErrorKind::usage, fmt::format("more than {} WorkflowTemplates are referred to", max_files)};
    const auto file = m_templates / (name + ".yaml");
    if (!is_name(name) || !std::filesystem::exists(file)) {
      throw Error{ErrorKind::usage,
                  fmt::format("the WorkflowTemplate '{}' is not in {} (--templates says where to look)",
                              printable(name), printable(m_templates.string(), 1024))};
    }
    auto spec = read(file, "templates/" + name);
    if (spec.name != name || spec.kind != "WorkflowTemplate") {
      throw Error{ErrorKind::usage, fmt::format("{} does not hold the WorkflowTemplate '{}'", file.string(), name)};
    }
    m_open.push_back(&m_library.referred.emplace(name, std::move(spec)).first->second);
  }

  Library& m_library;
  fs::Path m_templates;
  std::vector<const Spec*> m_open;  ///< read, but not followed yet
};

}  // namespace

const Spec& Library::main() const {
  return submitted.template_reference.empty() ? submitted : referred.find(submitted.template_reference)->second;
}

Library::Resolved Library::resolve(const Spec& from, const TemplateReference& target) const {
  const Spec& spec = target.name.empty() ? from : referred.find(target.name)->second;
  const auto found = spec.template_indices.find(target.template_name);
  if (found != spec.template_indices.end()) return {&spec, spec.templates[found->second]};
  throw Error{ErrorKind::usage, fmt::format("'{}' has no template '{}'", spec.name, printable(target.template_name))};
}

const Volume* Library::Resolved::volume(std::string_view name) const {
  for (const auto* list : {&definition->volumes, &spec->volumes}) {
    const auto found =
        std::find_if(list->begin(), list->end(), [&](const Volume& volume) { return volume.name == name; });
    if (found != list->end()) return &*found;
  }
  return nullptr;
}

std::string read_named_file(const fs::Path& file) {
  return as_usage("", [&] { return fs::read_file(file, max_file_bytes); });
}

Library load_library(const fs::Path& file, const fs::Path& templates) {
  Library library;
  Loader loader{library, templates};
  library.submitted = loader.read(file, file.filename().string());
  loader.follow_all(library.submitted);
  return library;
}

}  // namespace capsule::workflow
