#include "cluster/run_book.hpp"

#include <algorithm>

#include "cluster/node.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "log/log.hpp"

namespace capsule::cluster {

namespace {

constexpr std::size_t max_runs = 64;
constexpr unsigned seed_bits = 53;
constexpr std::string_view incomplete = "incomplete";    // no key: those are hexadecimal
constexpr auto largest = (std::uint64_t{1} << 53U) - 1;  // RFC 8785: beyond it, a JSON number is no integer

std::uint64_t draw_seed() {
  std::uint64_t seed = 0;
  for (const auto byte : crypto::random_bytes(sizeof seed)) seed = seed << 8U | std::to_integer<std::uint64_t>(byte);
  return seed >> (64 - seed_bits);
}

std::string key_of(const deploy::RunWish& wish) {
  const json::Object key{{"capsule", wish.capsule_digest.text()},
                         {"target", wish.target},
                         {"parameters", wish.parameters},
                         {"budget", wish.budget},
                         {"seed", wish.seed ? json::Value{*wish.seed} : json::Value{}}};
  return std::string{crypto::sha256(json::canonical(key)).hex().substr(0, 16)};
}

json::Value to_json(const deploy::LedgerEntry& entry) {
  json::Object out{
      {"ordinal", entry.request.ordinal}, {"seed", entry.request.seed}, {"run_id", entry.request.run_id()}};
  if (entry.record) out.set("record", entry.record->text());
  return out;
}

void check(const json::Cursor& run) {
  const auto ordinal = run.at("ordinal").uint64();
  if (ordinal == 0 || ordinal >= largest || run.at("seed").uint64() > largest)
    throw Error{ErrorKind::invalid_input, "a run's ordinal or seed is out of range"};
  static_cast<void>(run.at("run_id").string());
  if (const auto record = run.optional("record")) static_cast<void>(Digest::parse(record->string()));
}

}  // namespace

RunBook RunBook::parse(const std::string& text) {
  RunBook book;
  if (text.empty()) return book;
  try {
    auto value = json::parse(text, "the runs of the ProofedDeployment object");
    const json::Cursor top{value, "the runs of the ProofedDeployment object"};
    const auto mark = top.optional(incomplete);
    book.m_is_incomplete = mark && mark->boolean();
    for (const auto& [key, run] : top.members())
      if (key != incomplete) check(run);
    book.m_runs = std::move(*value.if_object());
    book.m_runs.erase(incomplete);
  } catch (const Error& error) {
    log::warning("what the object says of earlier runs is damaged, those on record count: " + error.message());
    book.m_is_incomplete = true;
  }
  return book;
}

std::string RunBook::text() const {
  if (!m_is_incomplete) return json::compact(m_runs);
  auto runs = m_runs;
  runs.set(incomplete, true);
  return json::compact(runs);
}

std::optional<deploy::LedgerEntry> RunBook::find(const deploy::RunWish& wish) const {
  const auto* found = m_runs.find(key_of(wish));
  if (found == nullptr) return std::nullopt;
  const json::Cursor run{*found, "the runs of the ProofedDeployment object"};
  deploy::LedgerEntry entry{{wish.capsule_digest, wish.target, wish.parameters, run.at("seed").uint64(), wish.budget,
                             run.at("ordinal").uint64()},
                            {}};
  if (const auto record = run.optional("record")) entry.record = Digest::parse(record->string());
  return entry;
}

std::optional<std::string> RunBook::record_of(std::string_view run_id) const {
  for (const auto& [key, run] : m_runs)
    if (text_at(run, "/run_id") == run_id) return text_at(run, "/record");
  return std::nullopt;
}

bool RunBook::has_record() const {
  return std::any_of(m_runs.begin(), m_runs.end(),
                     [](const auto& entry) { return !text_at(entry.second, "/record").empty(); });
}

deploy::LedgerEntry RunBook::begin(const deploy::RunWish& wish, std::uint64_t used) {
  if (const auto before = find(wish)) used = std::max(used, before->request.ordinal);
  deploy::LedgerEntry entry{
      {wish.capsule_digest, wish.target, wish.parameters, wish.seed.value_or(draw_seed()), wish.budget, used + 1}, {}};
  while (record_of(entry.request.run_id())) ++entry.request.ordinal;
  const auto key = key_of(wish);
  m_runs.erase(key);
  keep(key, entry);
  return entry;
}

void RunBook::finish(const deploy::RunWish& wish, const deploy::LedgerEntry& entry) {
  keep(key_of(wish), entry);
}

void RunBook::keep(const std::string& key, const deploy::LedgerEntry& entry) {
  while (m_runs.find(key) == nullptr && m_runs.size() >= max_runs) {
    m_runs.erase(std::string{m_runs.begin()->first});
    m_is_incomplete = true;
  }
  m_runs.set(key, to_json(entry));
}

}  // namespace capsule::cluster
