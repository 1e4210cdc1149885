#include "proof_memory.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/time.hpp"
#include "crypto/hash.hpp"
#include "fs/atomic_file.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "log/log.hpp"
#include "proof/evidence.hpp"

namespace generate_proof {

using namespace capsule;

namespace {

/// Less is not worth a word.
constexpr std::chrono::milliseconds a_moment{500};
constexpr std::size_t max_memory_bytes = proof::max_evidence_bytes + (std::size_t{1} << 20U);

fs::Path file_for(const fs::Path& folder, const Digest& version_index, const Digest& run_record) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fs::throw_errno("create the folder", folder, error.value());
  const auto name = crypto::sha256(version_index.text() + " " + run_record.text());
  return folder / (std::string{name.hex().substr(0, 32)} + ".json");
}

/// The first 64 bits of the digest that is the file's name.
std::uint64_t number_in(const fs::Path& file) {
  return std::stoull(file.filename().string().substr(0, 16), nullptr, 16);
}

fs::NumberedLock wait_for_lock(const fs::Path& path, std::uint64_t number, std::chrono::milliseconds patience) {
  try {
    return {path, number, std::min(patience, a_moment)};
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::busy) throw;
    log::info("another process proves this run: waiting", {{"waits_at_most", human_duration(patience)}});
  }
  return {path, number, patience};
}

Remembered read(std::string_view text) {
  const auto value = json::parse(text, "the remembered proof", {max_memory_bytes, proof::max_evidence_depth + 4});
  const json::Cursor top{value, "the remembered proof"};
  top.allow_only({"service", "utid", "proof_id", "evidence", "replay"});
  Remembered out{.service = top.at("service").string(),
                 .utid = top.at("utid").string(),
                 .proof_id = top.at("proof_id").string(),
                 .evidence = top.at("evidence").value(),
                 .replay = {}};
  if (const auto replay = top.optional("replay")) out.replay = replay->value();
  return out;
}

}  // namespace

ProofMemory::ProofMemory(const fs::Path& folder, const Digest& version_index, const Digest& run_record,
                         std::chrono::milliseconds patience)
    : m_file(file_for(folder, version_index, run_record)),
      m_lock(wait_for_lock(folder / ".lock", number_in(m_file), patience)) {}

bool ProofMemory::is_begun() const {
  return std::filesystem::exists(m_file) || (m_shared != nullptr && m_shared->read());
}

std::optional<Remembered> ProofMemory::recall(const std::string& service) const {
  auto here = recall_here(service);
  if (m_shared == nullptr || service == embedded) return here;
  const auto shared = m_shared->read();
  if (!shared || shared->service != service || shared->utid.empty()) return here;
  if (here && here->utid == shared->utid && here->proof_id == shared->proof_id) return here;
  log::info("a proof that was begun elsewhere is gone on with", {{"proof_id", shared->proof_id}});
  return Remembered{shared->service, shared->utid, shared->proof_id, {}, here ? here->replay : std::nullopt};
}

std::optional<Remembered> ProofMemory::recall_here(const std::string& service) const {
  if (!std::filesystem::exists(m_file)) return std::nullopt;
  try {
    auto found = read(fs::read_file(m_file, max_memory_bytes));
    if (found.service == service) return found;
    log::info("the proof begun at another proof service is begun anew", {{"earlier", found.service}});
  } catch (const Error& error) {
    log::warning("what was remembered of this proof cannot be read, it is begun anew", {{"reason", error.message()}});
  }
  return std::nullopt;
}

void ProofMemory::remember(const Remembered& what) const {
  if (m_shared != nullptr) m_shared->write({what.service, what.utid, what.proof_id});
  json::Object out{
      {"service", what.service}, {"utid", what.utid}, {"proof_id", what.proof_id}, {"evidence", what.evidence}};
  if (what.replay) out.set("replay", *what.replay);
  fs::write_file(m_file, json::compact(out), 0600);
}

void ProofMemory::forget() const noexcept {
  try {
    if (m_shared != nullptr) m_shared->end();
  } catch (const std::exception& error) {
    log::warning(std::string{"what was noted of this proof stays in status.proofsInFlight: "} + error.what());
  }
  std::error_code ignored;
  std::filesystem::remove(m_file, ignored);
}

}  // namespace generate_proof
