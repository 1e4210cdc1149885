#include "workflow/container.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "core/error.hpp"
#include "core/semver.hpp"
#include "fs/fd.hpp"
#include "fs/safe_path.hpp"
#include "workflow/fields.hpp"

namespace capsule::workflow {

namespace {

using json::Cursor;

/// Variables by which the dynamic loader, the C library or OpenSSL load code that somebody else has made.
constexpr std::array code_loaders{"GCONV_PATH",   "GLIBC_TUNABLES",  "NLSPATH",        "LOCPATH",
                                  "OPENSSL_CONF", "OPENSSL_ENGINES", "OPENSSL_MODULES"};

/// A DNS subdomain (RFC 1123), as Kubernetes lets Secrets and ConfigMaps be called.
std::string read_object_name(const Cursor& at) {
  constexpr std::size_t longest = 253;
  const auto& text = at.string();
  std::string_view rest = text;
  bool good = text.size() <= longest;
  for (auto dot = rest.find('.'); good && dot != std::string_view::npos; dot = rest.find('.')) {
    good = is_name(rest.substr(0, dot));
    rest.remove_prefix(dot + 1);
  }
  if (!good || !is_name(rest)) at.fail("a name has small letters, digits, '-' and single '.' between them");
  return text;
}

Volume read_volume(const Cursor& at) {
  const auto name = at.at("name");
  if (!is_name(name.string())) name.fail("a volume's name has small letters, digits and '-', at most 63");
  if (at.optional("emptyDir")) return {Volume::Kind::empty_dir, name.string(), {}};
  if (const auto secret = at.optional("secret"))
    return {Volume::Kind::secret, name.string(), read_object_name(secret->at("secretName"))};
  if (const auto map = at.optional("configMap"))
    return {Volume::Kind::config_map, name.string(), read_object_name(map->at("name"))};
  at.fail("on one machine a volume is an emptyDir, a secret or a configMap");
}

/// The command's first word: its base name is the program.
void check_program(const Cursor& at) {
  const auto& text = at.string();
  const auto name = fs::Path{text}.filename().string();
  if (name.empty() || name == "." || name == ".." || text.find('\0') != std::string::npos ||
      text.find("{{") != std::string::npos)
    at.fail("the path of a program is wanted, as it stands");
}

std::string read_mount_path(const Cursor& at) {
  auto text = at.string();
  while (text.size() > 1 && text.ends_with('/')) text.pop_back();
  bool good = text.size() > 1 && text.starts_with('/') && text.find(':') == std::string::npos;
  try {
    if (good) fs::SafePath::parse(text.substr(1));
  } catch (const Error&) {
    good = false;
  }
  if (!good) at.fail("a mount path is absolute, below '/', without '..' and ':'");
  return text;
}

std::pair<std::string, std::string> read_variable(const Cursor& at) {
  at.allow_only({"name", "value"});
  const auto name = at.at("name");
  const auto& text = name.string();
  if (text.empty() || text.find_first_of(std::string_view{"=\0", 2}) != std::string::npos)
    name.fail("a variable's name is not empty and has no '='");
  if (text.starts_with("LD_") || std::find(code_loaders.begin(), code_loaders.end(), text) != code_loaders.end())
    name.fail("this variable would load other code into the step's program");
  return {text, text_or_empty(at, "value")};
}

}  // namespace

std::vector<Volume> read_volumes(const Cursor& at) {
  std::vector<Volume> out;
  std::set<std::string> names;
  for (const auto& volume : elements_or_none(at, "volumes")) {
    out.push_back(read_volume(volume));
    if (!names.insert(out.back().name).second) volume.fail("a volume of this name is there already");
  }
  return out;
}

Container read_container(const Cursor& at) {
  // image, resources, securityContext and the like are the cluster's.
  at.allow_only({"name", "image", "imagePullPolicy", "command", "args", "env", "volumeMounts", "resources",
                 "securityContext", "terminationMessagePolicy", "terminationMessagePath"});
  Container out;
  for (const auto& word : at.at("command").elements()) {
    if (out.command.empty()) check_program(word);
    out.command.push_back(word.string());
  }
  if (out.command.empty()) at.at("command").fail("the program is missing");
  for (const auto& word : elements_or_none(at, "args")) out.arguments.push_back(scalar(word));
  for (const auto& variable : elements_or_none(at, "env")) out.environment.push_back(read_variable(variable));
  std::set<std::string> paths;
  for (const auto& mount : elements_or_none(at, "volumeMounts")) {
    mount.allow_only({"name", "mountPath", "readOnly"});
    auto path = read_mount_path(mount.at("mountPath"));
    if (!paths.insert(path).second) mount.fail("this mount path is there already");
    out.mounts.emplace_back(mount.at("name").string(), std::move(path));
  }
  return out;
}

MountedPath locate(const Container& container, std::string_view path) {
  MountedPath out;
  std::size_t longest = 0;
  for (const auto& [volume, mount] : container.mounts) {
    if (mount.size() < longest || !path.starts_with(mount) || path.size() <= mount.size() || path[mount.size()] != '/')
      continue;
    longest = mount.size();
    out = {volume, std::string{path.substr(mount.size() + 1)}};
  }
  return out;
}

}  // namespace capsule::workflow
