#include "index/seen.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "fs/atomic_file.hpp"
#include "fs/lock.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "log/log.hpp"
#include "oci/reference.hpp"

namespace capsule::index {

namespace {

/// Nothing where there is no such file.
std::optional<std::string> text_of(const fs::Path& file) {
  try {
    return fs::read_file(file, 4096);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
    return std::nullopt;
  }
}

/// One text for a registry, however it was typed: of a layout the absolute path without links.
std::string canonical(const std::string& registry) {
  const auto location = oci::RegistryLocation::parse(registry);
  if (!location.is_layout()) return location.text();
  std::error_code error;
  auto folder = std::filesystem::absolute(location.folder(), error);
  if (!error) folder = std::filesystem::weakly_canonical(folder, error);
  if (error) fs::throw_errno("find", location.folder(), error.value());
  return oci::RegistryLocation::parse(fmt::format("oci-layout:{}", folder.string())).text();
}

/// Whether `now` is to be remembered after `before`.
bool is_newer(const std::optional<HeadId>& before, const std::string& name, const HeadId& now,
              const std::string& where) {
  if (!before || now.sequence > before->sequence) return true;
  if (now.sequence < before->sequence) {
    throw Error{ErrorKind::verification_failed,
                fmt::format("rollback: the index of '{}' is at sequence {}, but {} was seen before (remembered in {})",
                            name, now.sequence, before->sequence, where)};
  }
  if (now.digest == before->digest) return false;
  throw Error{ErrorKind::verification_failed,
              fmt::format("two different heads of the index of '{}' have the sequence {}: {} now, {} before; if two "
                          "writers were at work at once, register merges them",
                          name, now.sequence, now.digest.brief(), before->digest.brief())};
}

}  // namespace

SeenHeads::SeenHeads(const fs::Path& state_folder, HeadsElsewhere* elsewhere)
    : m_folder(state_folder / "index-seen"), m_elsewhere(elsewhere) {}

fs::Path SeenHeads::file_of(const std::string& registry, const std::string& name) const {
  return m_folder / fmt::format("{}-{}.json", name, crypto::sha256(canonical(registry)).brief());
}

std::optional<HeadId> SeenHeads::of(const std::string& registry, const std::string& name) const {
  auto here = of_folder(registry, name);
  if (m_elsewhere == nullptr) return here;
  auto there = m_elsewhere->of(canonical(registry), name);
  return !here || (there && there->sequence > here->sequence) ? there : here;
}

std::optional<HeadId> SeenHeads::of_folder(const std::string& registry, const std::string& name) const {
  const auto file = file_of(registry, name);
  const auto text = text_of(file);
  if (!text) return std::nullopt;
  const auto value = json::parse(*text, file.string());
  const json::Cursor top{value, file.string()};
  return HeadId{top.at("sequence").uint64(), Digest::parse(top.at("digest").string())};
}

void SeenHeads::check_and_remember(const std::string& registry, const std::string& name, const HeadId& now,
                                   const std::function<void(const HeadId& seen)>& require_descent) {
  const auto hold_against = [&](const std::optional<HeadId>& before, const std::string& where) {
    if (!is_newer(before, name, now, where)) return false;
    if (before) with_trace(fmt::format("against what {} remembers", where), [&] { require_descent(*before); });
    return true;
  };
  const bool is_new = hold_against(of_folder(registry, name), printable(file_of(registry, name).string(), 1024));
  if (m_elsewhere != nullptr) {
    hold_against(m_elsewhere->of(canonical(registry), name), m_elsewhere->where());
    m_elsewhere->saw(canonical(registry), name, now);
  }
  if (!is_new) return;
  try {
    remember(registry, name, now);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::denied) throw;
    // Who may only read can still check the signature, the expiry, and what was remembered before.
    log::warning("this index is not remembered: if an older one is served next time, it will not be noticed",
                 {{"name", name}, {"sequence", std::to_string(now.sequence)}, {"reason", error.message()}});
  }
}

void SeenHeads::remember(const std::string& registry, const std::string& name, const HeadId& now) const {
  std::error_code error;
  std::filesystem::create_directories(m_folder, error);
  if (error) fs::throw_errno("create the folder", m_folder, error.value());
  const fs::FileLock lock{m_folder, std::chrono::seconds{30}};
  const auto before = of_folder(registry, name);
  // Another reader may have seen a later head since ours was read.
  if (before && before->sequence > now.sequence) return;
  if (!is_newer(before, name, now, printable(file_of(registry, name).string(), 1024))) return;
  fs::write_file(file_of(registry, name),
                 json::canonical(json::Object{{"sequence", now.sequence}, {"digest", now.digest.text()}}));
}

}  // namespace capsule::index
