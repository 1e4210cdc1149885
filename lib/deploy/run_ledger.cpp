#include "deploy/run_ledger.hpp"

#include <fmt/format.h>

#include "crypto/hash.hpp"
#include "fs/atomic_file.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

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
    entry.request.ordinal = before.at("ordinal").uint64();
    if (new_run == NewRun::yes) {
      ++entry.request.ordinal;
    } else {
      entry.request.seed = before.at("seed").uint64();
      if (const auto record = before.optional("record")) entry.record = Digest::parse(record->string());
      const auto kept = kept_record_of(wish, entry);
      if (std::filesystem::exists(kept)) entry.unattached = fs::read_file(kept, max_record_bytes);
      return entry;
    }
  }
  std::error_code error;
  std::filesystem::create_directories(m_folder, error);
  if (error) fs::throw_errno("create the folder", m_folder, error.value());
  fs::write_file(file, json::canonical(to_json(entry)));
  return entry;
}

fs::Path RunLedger::kept_record_of(const RunWish& wish, const LedgerEntry& entry) const {
  auto file = file_of(wish);
  file.replace_extension(entry.request.run_id() + ".record.json");
  return file;
}

void RunLedger::keep(const RunWish& wish, const LedgerEntry& entry, const std::string& record) {
  fs::write_file(kept_record_of(wish, entry), record);
}

void RunLedger::finish(const RunWish& wish, const LedgerEntry& entry) {
  fs::write_file(file_of(wish), json::canonical(to_json(entry)));
  std::error_code ignored;
  std::filesystem::remove(kept_record_of(wish, entry), ignored);
}

}  // namespace capsule::deploy
