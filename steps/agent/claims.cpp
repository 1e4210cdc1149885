#include "claims.hpp"

#include "fs/atomic_file.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace agent {

using namespace capsule;

namespace {

constexpr std::size_t most_bytes = std::size_t{1} << 20U;

}  // namespace

Claims::Claims(fs::Path file) : m_file(std::move(file)) {
  std::error_code ignored;
  if (m_file.empty() || !std::filesystem::exists(m_file, ignored)) return;
  const auto value = json::parse(fs::read_file(m_file, most_bytes), m_file.string());
  for (const auto& run : json::Cursor{value, m_file.string()}.elements())
    m_list.push_back({run.at("run_id").string(), run.at("input").string()});
}

void Claims::add(const ClaimedRun& run) {
  auto list = m_list;
  list.push_back(run);
  if (!m_file.empty()) {
    json::Array out;
    for (const auto& one : list) out.push_back(json::Object{{"run_id", one.run_id}, {"input", one.input_digest}});
    fs::write_file(m_file, json::compact(out));
  }
  m_list = std::move(list);
}

}  // namespace agent
