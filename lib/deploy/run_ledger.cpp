#include "deploy/run_ledger.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "fs/atomic_file.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "log/log.hpp"

namespace capsule::deploy {

namespace {

constexpr std::size_t max_entry_bytes = std::size_t{8} << 20U;
constexpr std::size_t max_record_bytes = std::size_t{64} << 20U;
constexpr unsigned seed_bits = 53;

std::uint64_t draw_seed() {
  std::uint64_t seed = 0;
  for (const auto byte : crypto::random_bytes(sizeof seed)) seed = seed << 8U | std::to_integer<std::uint64_t>(byte);
  return seed >> (64 - seed_bits);
}

json::Value to_json(const LedgerEntry& entry) {
  json::Object out{
      {"ordinal", entry.request.ordinal}, {"seed", entry.request.seed}, {"run_id", entry.request.run_id()}};
  if (entry.record) out.set("record", entry.record->text());
  return out;
}

void require_same_seed(const RunWish& wish, std::uint64_t seed, const fs::Path& file) {
  if (!wish.seed || *wish.seed == seed) return;
  throw Error{ErrorKind::invalid_input,
              fmt::format("{} says the seed {} for the run with --seed {}: remove the file, or give --new-run",
                          printable(file.string(), 1024), seed, *wish.seed)};
}

}  // namespace

RunLedger::RunLedger(fs::Path folder) : m_folder(std::move(folder)) {}

fs::Path RunLedger::file_of(const RunWish& wish) const {
  const json::Object key{{"capsule", wish.capsule_digest.text()},
                         {"target", wish.target},
                         {"parameters", wish.parameters},
                         {"budget", wish.budget},
                         {"seed", wish.seed ? json::Value{*wish.seed} : json::Value{}}};
  return m_folder / fmt::format("{}.json", crypto::sha256(json::canonical(key)).hex().substr(0, 32));
}

LedgerEntry RunLedger::begin(const RunWish& wish, NewRun new_run) {
  LedgerEntry entry{
      {wish.capsule_digest, wish.target, wish.parameters, wish.seed.value_or(draw_seed()), wish.budget, 1}, {}};
  const auto file = file_of(wish);
  if (std::filesystem::exists(file)) {
    const auto value = json::parse(fs::read_file(file, max_entry_bytes), file.string());
    const json::Cursor before{value, file.string()};
    entry.request.ordinal = before.at("ordinal").uint64() + (new_run == NewRun::yes ? 1 : 0);
    if (new_run == NewRun::no) {
      entry.request.seed = before.at("seed").uint64();
      require_same_seed(wish, entry.request.seed, file);
      if (const auto record = before.optional("record")) entry.record = Digest::parse(record->string());
      entry.text = kept_record(entry);
      return entry;
    }
  }
  // The same run may have been made for another wish: one that left the seed to be drawn.
  if (new_run == NewRun::yes) {
    while (std::filesystem::exists(record_file_of(entry))) ++entry.request.ordinal;
  } else {
    entry.text = kept_record(entry);
  }
  std::error_code error;
  std::filesystem::create_directories(m_folder, error);
  if (error) fs::throw_errno("create the folder", m_folder, error.value());
  fs::write_file(file, json::canonical(to_json(entry)));
  return entry;
}

fs::Path RunLedger::record_file_of(const LedgerEntry& entry) const {
  return m_folder / (entry.request.run_id() + ".record.json");
}

std::string RunLedger::kept_record(const LedgerEntry& entry) const {
  const auto file = record_file_of(entry);
  if (!std::filesystem::exists(file)) return {};
  auto text = fs::read_file(file, max_record_bytes);
  if (!entry.record || crypto::sha256(text) == *entry.record) return text;
  log::warning(
      fmt::format("{} is not the run record that the ledger names: it is left out", printable(file.string(), 1024)));
  return {};
}

void RunLedger::keep(const LedgerEntry& entry) {
  fs::write_file(record_file_of(entry), entry.text);
}

void RunLedger::finish(const RunWish& wish, const LedgerEntry& entry) {
  fs::write_file(file_of(wish), json::canonical(to_json(entry)));
}

}  // namespace capsule::deploy
