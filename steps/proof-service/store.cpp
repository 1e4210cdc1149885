#include "store.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <array>

#include "core/error.hpp"
#include "fs/lock.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace proof_service {

using namespace capsule;

namespace {

constexpr std::array<std::string_view, 4> state_names{"queued", "processing", "verified", "validated"};
constexpr int schema_version = 3;
constexpr int max_draws = 1000;

constexpr const char* schema = R"(
CREATE TABLE proofs (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  state TEXT NOT NULL,
  hash TEXT NOT NULL,
  utid TEXT, domain TEXT, parent TEXT,
  inputs TEXT NOT NULL, metadata TEXT NOT NULL, anchors TEXT NOT NULL,
  score REAL,
  touched INTEGER NOT NULL);
CREATE INDEX proofs_by_hash ON proofs (hash, touched);
CREATE INDEX proofs_by_touch ON proofs (touched);
CREATE INDEX proofs_by_utid ON proofs (utid);
CREATE INDEX proofs_by_parent ON proofs (parent);
CREATE TABLE evidence (sequence INTEGER PRIMARY KEY REFERENCES proofs, pieces TEXT NOT NULL);
)";

/// Since version 2, so that each page of a list is read off an index: `anchored` has a row for each anchor of a proof.
constexpr const char* indexes = R"(
CREATE INDEX proofs_by_state ON proofs (state);
CREATE INDEX proofs_by_domain ON proofs (domain);
CREATE TABLE anchored (sequence INTEGER NOT NULL REFERENCES proofs, chain TEXT, tx TEXT);
CREATE INDEX anchored_by_proof ON anchored (sequence);
CREATE INDEX anchored_by_chain ON anchored (chain, sequence);
CREATE INDEX anchored_by_tx ON anchored (tx, sequence);
CREATE TRIGGER anchors_made AFTER INSERT ON proofs BEGIN
  INSERT INTO anchored SELECT new.sequence, json_extract(value, '$.chain'), json_extract(value, '$.tx') FROM json_each(new.anchors);
END;
CREATE TRIGGER anchors_changed AFTER UPDATE OF anchors ON proofs WHEN new.anchors <> old.anchors BEGIN
  DELETE FROM anchored WHERE sequence = new.sequence;
  INSERT INTO anchored SELECT new.sequence, json_extract(value, '$.chain'), json_extract(value, '$.tx') FROM json_each(new.anchors);
END;
INSERT INTO anchored SELECT p.sequence, json_extract(value, '$.chain'), json_extract(value, '$.tx') FROM proofs p, json_each(p.anchors);
)";

/// Since version 3. What stands in an older database is of the UTID that it names.
constexpr const char* owners = R"(
ALTER TABLE proofs ADD COLUMN owner TEXT;
UPDATE proofs SET owner = utid;
PRAGMA user_version = 3;
)";

/// Grows with every change of any proof.
constexpr std::string_view next_touch = "(SELECT coalesce(max(touched), 0) + 1 FROM proofs)";

struct CloseDatabase {
  void operator()(sqlite3* database) const noexcept { sqlite3_close(database); }
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};

[[noreturn]] void fail(sqlite3* database, int code) {
  const auto words = fmt::format("the proof service's database: {}", printable(sqlite3_errmsg(database)));
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw Error{ErrorKind::busy, words};
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_NOMEM:
      throw Error{ErrorKind::unavailable, words};
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
      throw Error{ErrorKind::denied, words};
    case SQLITE_CANTOPEN:
      throw Error{ErrorKind::usage, words};
    default:
      throw Error{ErrorKind::invalid_input, words};
  }
}

/// One prepared statement, its parameters bound by position in order.
class Statement {
 public:
  Statement(sqlite3* database, const std::string& sql) : m_database(database) {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v2(database, sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
    m_statement.reset(statement);
    if (code != SQLITE_OK) fail(database, code);
  }

  Statement& bind(std::string_view text) {
    return checked(sqlite3_bind_text64(m_statement.get(), ++m_bound, text.data(), text.size(),
                                       SQLITE_TRANSIENT,  // NOLINT(cppcoreguidelines-pro-type-cstyle-cast)
                                       SQLITE_UTF8));
  }
  Statement& bind_optional(const std::optional<std::string>& text) {
    return text ? bind(std::string_view{*text}) : checked(sqlite3_bind_null(m_statement.get(), ++m_bound));
  }
  Statement& bind_optional(const std::optional<double>& number) {
    return number ? checked(sqlite3_bind_double(m_statement.get(), ++m_bound, *number))
                  : checked(sqlite3_bind_null(m_statement.get(), ++m_bound));
  }
  Statement& bind_number(std::int64_t number) {
    return checked(sqlite3_bind_int64(m_statement.get(), ++m_bound, number));
  }

  /// True: there is a row.
  bool step() {
    const int code = sqlite3_step(m_statement.get());
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    fail(m_database, code);
  }
  /// True: done; false: a uniqueness rule forbids it.
  bool insert() {
    const int code = sqlite3_step(m_statement.get());
    if (code == SQLITE_DONE) return true;
    if ((code & 0xff) == SQLITE_CONSTRAINT) return false;
    fail(m_database, code);
  }

  [[nodiscard]] std::string text(int column) const {
    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(m_statement.get(), column));
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(m_statement.get(), column));
    return bytes == nullptr ? std::string{} : std::string{bytes, size};
  }
  [[nodiscard]] std::optional<std::string> optional_text(int column) const {
    if (is_null(column)) return std::nullopt;
    return text(column);
  }
  [[nodiscard]] std::optional<double> optional_number(int column) const {
    if (is_null(column)) return std::nullopt;
    return sqlite3_column_double(m_statement.get(), column);
  }
  [[nodiscard]] std::int64_t integer(int column) const { return sqlite3_column_int64(m_statement.get(), column); }

 private:
  [[nodiscard]] bool is_null(int column) const { return sqlite3_column_type(m_statement.get(), column) == SQLITE_NULL; }
  Statement& checked(int code) {
    if (code != SQLITE_OK) fail(m_database, code);
    return *this;
  }
  sqlite3* m_database;
  std::unique_ptr<sqlite3_stmt, FinalizeStatement> m_statement;
  int m_bound = 0;
};

void execute(sqlite3* database, const char* sql) {
  const int code = sqlite3_exec(database, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(database, code);
}

/// Rolled back unless committed.
class Transaction {
 public:
  explicit Transaction(sqlite3* database) : m_database(database) { execute(database, "BEGIN IMMEDIATE"); }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction() {
    if (!m_committed) sqlite3_exec(m_database, "ROLLBACK", nullptr, nullptr, nullptr);
  }
  void commit() {
    execute(m_database, "COMMIT");
    m_committed = true;
  }

 private:
  sqlite3* m_database;
  bool m_committed = false;
};

constexpr json::ParseLimits stored_limits{std::size_t{64} << 20U, 256};

json::Value parse_stored(const std::string& text) {
  return json::parse(text, "the proof service's database", stored_limits);
}

json::Array array_of(const std::string& text) {
  auto value = parse_stored(text);
  auto* array = value.if_array();
  return array == nullptr ? json::Array{} : std::move(*array);
}

constexpr std::string_view columns =
    "p.id, p.state, p.hash, p.utid, p.domain, p.parent, p.inputs, p.metadata, "
    "p.anchors, p.score, p.owner";
constexpr int evidence_column = 11;

Proof read_proof(const Statement& row) {
  Proof proof;
  proof.id = row.text(0);
  proof.state = parse_state(row.text(1)).value_or(State::queued);
  proof.hash = row.text(2);
  proof.utid = row.optional_text(3);
  proof.domain = row.optional_text(4);
  proof.parent = row.optional_text(5);
  auto inputs = parse_stored(row.text(6));
  if (auto* object = inputs.if_object()) proof.inputs = std::move(*object);
  proof.metadata = parse_stored(row.text(7));
  proof.anchors = array_of(row.text(8));
  proof.score = row.optional_number(9);
  proof.owner = row.text(10);
  return proof;
}

/// The one proof that a condition on `p` finds, with its evidence.
std::optional<Proof> find_one(sqlite3* database, std::string_view condition, std::string_view value) {
  Statement query{database,
                  fmt::format("SELECT {}, e.pieces FROM proofs p LEFT JOIN evidence e ON e.sequence = p.sequence "
                              "WHERE {} ORDER BY p.touched DESC LIMIT 1",
                              columns, condition)};
  if (!query.bind(value).step()) return std::nullopt;
  auto proof = read_proof(query);
  if (const auto pieces = query.optional_text(evidence_column)) proof.evidence = array_of(*pieces);
  return proof;
}

void put_evidence(sqlite3* database, const std::string& id, const json::Array& evidence) {
  Statement write{database,
                  "INSERT INTO evidence (sequence, pieces) SELECT sequence, ? FROM proofs WHERE id = ? "
                  "ON CONFLICT (sequence) DO UPDATE SET pieces = excluded.pieces"};
  write.bind(json::compact(evidence)).bind(id).step();
}

}  // namespace

std::string_view name_of(State state) noexcept {
  return state_names.at(static_cast<std::size_t>(state));
}

std::optional<State> parse_state(std::string_view name) noexcept {
  for (std::size_t at = 0; at < state_names.size(); ++at) {
    if (state_names.at(at) == name) return static_cast<State>(at);
  }
  return std::nullopt;
}

struct Store::Database {
  std::unique_ptr<sqlite3, CloseDatabase> handle;
  [[nodiscard]] sqlite3* get() const noexcept { return handle.get(); }

  void prepare() const {
    // Two processes that start at once: only one makes the tables.
    Transaction transaction{get()};
    Statement version{get(), "PRAGMA user_version"};
    version.step();
    const auto found = version.integer(0);
    if (found > schema_version)
      throw Error{ErrorKind::usage, "the proof service's database was made by a newer version of it"};
    if (found == 0) execute(get(), schema);
    if (found < 2) execute(get(), indexes);
    if (found < 3) execute(get(), owners);
    transaction.commit();
  }
};

Store::Store(const fs::Path& file) : m_database(std::make_unique<Database>()) {
  sqlite3* handle = nullptr;
  const int code =
      sqlite3_open_v2(file.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  m_database->handle.reset(handle);
  if (handle == nullptr) throw std::bad_alloc{};
  if (code != SQLITE_OK) {
    throw Error{ErrorKind::usage, fmt::format("cannot open the database {}: {}", printable(file.string(), 1024),
                                              printable(sqlite3_errmsg(handle)))};
  }
  sqlite3_busy_timeout(handle, 5000);
  with_trace(printable(file.string(), 1024), [&] {
    // SQLite does not wait for its turn where two processes switch a new database to WAL at once.
    // A file beside it would stay; and to close the database itself would drop SQLite's own locks.
    const auto folder = file.parent_path();
    const fs::FileLock one_at_a_time{folder.empty() ? fs::Path{"."} : folder, std::chrono::seconds{5}};
    execute(handle, "PRAGMA journal_mode = WAL");
    execute(handle, "PRAGMA synchronous = FULL");
    m_database->prepare();
  });
}

Store::~Store() = default;

std::string Store::add(const Proof& proof, const std::function<std::string()>& draw) {
  const std::lock_guard lock{m_mutex};
  auto* database = m_database->get();
  for (int tried = 0; tried < max_draws; ++tried) {
    auto id = draw();
    Statement insert{
        database, fmt::format("INSERT INTO proofs (id, state, hash, utid, domain, parent, inputs, metadata, anchors, "
                              "score, owner, touched) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, {})",
                              next_touch)};
    insert.bind(id).bind(name_of(proof.state)).bind(proof.hash).bind_optional(proof.utid).bind_optional(proof.domain);
    insert.bind_optional(proof.parent).bind(json::compact(proof.inputs)).bind(json::compact(proof.metadata));
    insert.bind(json::compact(proof.anchors)).bind_optional(proof.score).bind(proof.owner);
    if (insert.insert()) return id;
  }
  throw Error{ErrorKind::unavailable, "no free proof id was found"};
}

std::optional<Proof> Store::get(const std::string& id) const {
  const std::lock_guard lock{m_mutex};
  return find_one(m_database->get(), "p.id = ?", id);
}

std::optional<Proof> Store::find_by_hash(const std::string& hash) const {
  const std::lock_guard lock{m_mutex};
  return find_one(m_database->get(), "p.hash = ?", hash);
}

bool Store::update(const std::string& id, const std::function<void(Proof&)>& change) {
  const std::lock_guard lock{m_mutex};
  auto* database = m_database->get();
  Transaction transaction{database};
  auto proof = find_one(database, "p.id = ?", id);
  if (!proof) return false;
  const auto evidence_before = proof->evidence;
  change(*proof);
  Statement write{
      database,
      fmt::format("UPDATE proofs SET state = ?, anchors = ?, score = ?, touched = {} WHERE id = ?", next_touch)};
  write.bind(name_of(proof->state)).bind(json::compact(proof->anchors)).bind_optional(proof->score).bind(id).step();
  if (proof->evidence != evidence_before) put_evidence(database, id, proof->evidence);
  transaction.commit();
  return true;
}

std::vector<Proof> Store::list(const Filter& filter) const {
  // By an anchor: from its index to the proofs, however few of them have it. One with two of a chain is there once.
  const bool by_anchor = filter.anchor_chain || filter.anchor_tx;
  std::string sql =
      by_anchor
          ? fmt::format("SELECT DISTINCT {} FROM anchored a CROSS JOIN proofs p ON p.sequence = a.sequence WHERE 1",
                        columns)
          : fmt::format("SELECT {} FROM proofs p WHERE 1", columns);
  const std::array<std::pair<std::string_view, const std::optional<std::string>*>, 5> equal{
      {{"utid", &filter.utid},
       {"domain", &filter.domain},
       {"hash", &filter.hash},
       {"state", &filter.state},
       {"parent", &filter.parent}}};
  for (const auto& [column, value] : equal) {
    if (*value) sql += fmt::format(" AND p.{} = ?", column);
  }
  if (filter.anchor_chain) sql += " AND a.chain = ?";
  if (filter.anchor_tx) sql += " AND a.tx = ?";
  sql += fmt::format(" ORDER BY {}.sequence DESC LIMIT ? OFFSET ?", by_anchor ? "a" : "p");
  const std::lock_guard lock{m_mutex};
  Statement query{m_database->get(), sql};
  for (const auto& [column, value] : equal) {
    if (*value) query.bind(**value);
  }
  if (filter.anchor_chain) query.bind(*filter.anchor_chain);
  if (filter.anchor_tx) query.bind(*filter.anchor_tx);
  query.bind_number(filter.limit).bind_number(filter.offset);
  std::vector<Proof> found;
  while (query.step()) found.push_back(read_proof(query));
  return found;
}

std::map<State, std::uint64_t> Store::count_by_state() const {
  std::map<State, std::uint64_t> counts;
  const std::lock_guard lock{m_mutex};
  for (const auto state : {State::queued, State::processing, State::verified, State::validated}) {
    Statement query{m_database->get(), "SELECT count(*) FROM proofs WHERE state = ?"};
    query.bind(name_of(state));
    counts[state] = query.step() ? static_cast<std::uint64_t>(query.integer(0)) : 0;
  }
  return counts;
}

}  // namespace proof_service
