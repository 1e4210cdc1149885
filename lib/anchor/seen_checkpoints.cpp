#include "anchor/seen_checkpoints.hpp"

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "fs/atomic_file.hpp"
#include "log/log.hpp"

namespace capsule::anchor {

SeenCheckpoints::SeenCheckpoints(const fs::Path& state_folder) : m_folder(state_folder / "log-seen") {}

fs::Path SeenCheckpoints::file_of(std::string_view name, const crypto::PublicKey& key) const {
  return m_folder / crypto::sha256(vkey_of(name, key)).hex();
}

std::optional<Checkpoint> SeenCheckpoints::of(std::string_view name, const crypto::PublicKey& key) const {
  const auto file = file_of(name, key);
  if (!std::filesystem::exists(file)) return std::nullopt;
  return with_trace(printable(file.string(), 1024),
                    [&] { return verify_checkpoint(fs::read_file(file, max_note_bytes), key); });
}

void SeenCheckpoints::remember(std::string_view name, const crypto::PublicKey& key, std::string_view note) const {
  try {
    std::error_code error;
    std::filesystem::create_directories(m_folder, error);
    if (error) fs::throw_errno("create the folder", m_folder, error.value());
    fs::write_file(file_of(name, key), note);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::denied) throw;
    log::warning("this checkpoint is not remembered: if the log loses entries, it will not be noticed",
                 {{"log", std::string{name}}, {"reason", error.message()}});
  }
}

}  // namespace capsule::anchor
