#include "deploy/sandbox.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/error.hpp"
#include "process/confinement.hpp"

namespace capsule::deploy {

namespace {

constexpr std::string_view search_path = "/usr/local/bin:/usr/bin:/bin";
constexpr std::string_view temporary_folder = "tmp";

fs::Path find_program(std::string_view name) {
  for (auto rest = search_path; !rest.empty();) {
    const auto folder = rest.substr(0, rest.find(':'));
    auto candidate = fs::Path{folder} / name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    rest.remove_prefix(std::min(rest.size(), folder.size() + 1));
  }
  throw Error{ErrorKind::unmet_requirement,
              fmt::format("the capsule needs '{}', which is not in {}", printable(name), search_path)};
}

std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> out;
  while (!line.empty()) {
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    const auto word = line.substr(0, line.find_first_of(" \t"));
    if (!word.empty()) out.emplace_back(word);
    line.remove_prefix(word.size());
  }
  return out;
}

/// The interpreter and its arguments from a `#!` line; `/usr/bin/env NAME` is looked up in our own path. Empty where
/// there is no such line.
std::vector<std::string> interpreter_of(const fs::Path& file) {
  fs::FileSource source{file};
  Bytes buffer(256);
  buffer.resize(read_fully(source, buffer));
  const auto text = as_text(buffer);
  if (!text.starts_with("#!")) return {};
  auto words = words_of(text.substr(2, text.find('\n') - 2));
  if (words.size() >= 2 && fs::Path{words.front()}.filename() == "env") {
    words.erase(words.begin());
    if (words.front() == "-S" && words.size() > 1) words.erase(words.begin());
    words.front() = find_program(words.front()).string();
  }
  return words;
}

/// The folder itself, whatever its mode. No Fd where there is no such folder (errno).
fs::Fd open_folder(int above, const fs::Path& name, int more_flags = 0) {
  return fs::Fd{::openat(above, name.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC | more_flags)};
}

/// Owner and mode of an open folder: no path is walked, so that nothing else can come into its place.
void give_to_capsule(const fs::Fd& folder, const fs::Path& name) {
  if (!folder) fs::throw_errno("open the folder", name, errno);
  constexpr auto user = process::capsule_user;
  if (::geteuid() == 0 && ::fchownat(folder.get(), "", user, user, AT_EMPTY_PATH) != 0)
    fs::throw_errno("change the owner of", name, errno);
  // fchmod(2) takes no O_PATH descriptor; this names the same open folder.
  if (::chmod(fmt::format("/proc/self/fd/{}", folder.get()).c_str(), S_IRWXU) != 0)
    fs::throw_errno("change the mode of", name, errno);
}

/// `name` below a folder that capsule code writes: whatever it put there instead of a folder, a link or a file, goes,
/// and what that points to is not touched.
void make_folder_among_strangers(const fs::Path& above, const std::string& name) {
  const auto data = open_folder(AT_FDCWD, above);
  if (!data) fs::throw_errno("open the folder", above, errno);
  auto folder = open_folder(data.get(), name, O_NOFOLLOW);
  if (!folder) {
    if (::unlinkat(data.get(), name.c_str(), 0) != 0 && errno != ENOENT) fs::throw_errno("remove", above / name, errno);
    if (::mkdirat(data.get(), name.c_str(), S_IRWXU) != 0) fs::throw_errno("create the folder", above / name, errno);
    folder = open_folder(data.get(), name, O_NOFOLLOW);
  }
  give_to_capsule(folder, above / name);
}

/// Over the limit of all its processes, or a process was refused more: that, only its own words say.
bool was_short_of_memory(const process::Result& result, std::string_view last_line) {
  if (result.end == process::End::memory_limit) return true;
  return last_line.find("emory") != std::string_view::npos || last_line.find("bad_alloc") != std::string_view::npos;
}

/// Before the last words, which may be long: how much there is of what it had too much of.
std::string room_of(const process::Result& result) {
  if (result.end == process::End::process_limit && result.process_limit)
    return fmt::format(" ({} at a time, for every capsule: no field of capsule.json raises it)", *result.process_limit);
  if (!result.full) return {};
  const auto amounts = fmt::format("{} of {}", human_size(result.full->used), human_size(result.full->size));
  if (result.end == process::End::disk_limit) return fmt::format(" ({}; make room there)", amounts);
  return fmt::format(" ({}, which no field of capsule.json raises; bring large files in the package)", amounts);
}

}  // namespace

void make_writable_folder(const fs::Path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fs::throw_errno("create the folder", folder, error.value());
  give_to_capsule(open_folder(AT_FDCWD, folder), folder);
}

void empty_folder(const fs::Path& folder) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator{folder, ignored})
    std::filesystem::remove_all(entry.path(), ignored);
}

void require_passable(const fs::Path& folder) {
  if (::geteuid() != 0) return;  // then it runs as we do
  fs::Path above;
  for (const auto& part : folder) {
    above /= part;
    struct stat status {};
    if (::stat(above.c_str(), &status) != 0) fs::throw_errno("look at", above, errno);
    if ((status.st_mode & S_IXOTH) != 0 || status.st_uid == process::capsule_user) continue;
    throw Error{ErrorKind::denied,
                fmt::format("capsule code runs as user {}, who cannot enter {}: chmod o+x it, or give another --state",
                            process::capsule_user, printable(above.string(), 1024))};
  }
}

process::Command capsule_command(const CapsuleCall& call) {
  process::Command command;
  const auto path = call.root / call.file;
  auto words = interpreter_of(path);
  if (words.empty() && path.extension() == ".py") words = {find_program("python3").string()};
  words.push_back(path.string());
  command.program = words.front();
  command.arguments.assign(words.begin() + 1, words.end());
  command.folder = call.root.string();
  const auto temporary = call.data / temporary_folder;
  make_writable_folder(call.data);
  make_folder_among_strangers(call.data, std::string{temporary_folder});
  command.environment = {{"PATH", std::string{search_path}},   {"LANG", "C.UTF-8"},
                         {"HOME", call.data.string()},         {"TMPDIR", temporary.string()},
                         {"CAPSULE_ROOT", call.root.string()}, {"CAPSULE_DATA", call.data.string()},
                         {"PYTHONDONTWRITEBYTECODE", "1"},     {"PYTHONUNBUFFERED", "1"}};
  auto readable = call.readable;
  readable.push_back(call.root.string());
  auto writable = call.writable;
  writable.push_back(call.data.string());
  auto confinement = *process::confine_strangers(std::move(readable), std::move(writable), call.network, call.way_out,
                                                 process::usual_limits(call.memory));
  confinement.only_way_out = call.only_way_out;
  confinement.volume = call.volume;
  command.confinement = std::make_shared<const process::Confinement>(std::move(confinement));
  return command;
}

std::string describe_failure(const process::Result& result) {
  std::string_view text = result.error_output;
  while (text.ends_with('\n')) text.remove_suffix(1);
  const auto line = text.substr(text.rfind('\n') + 1);
  auto out = fmt::format("{}{}: {}", result.describe(), room_of(result),
                         line.empty() ? "it said nothing on stderr" : printable(line, 400));
  if (result.memory_limit && was_short_of_memory(result, line)) {
    out += fmt::format(" (it may take {} of memory; resources.memory in its capsule.json asks for more)",
                       human_size(*result.memory_limit));
  }
  return out;
}

}  // namespace capsule::deploy
