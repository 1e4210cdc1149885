#include "hook_service.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "deploy/run_outcome.hpp"
#include "json/write.hpp"
#include "wait_of.hpp"

namespace agent {

using namespace capsule;
using namespace std::chrono_literals;

namespace {

constexpr std::int64_t longest_hook_ms = std::int64_t{30} * 24 * 3600 * 1000;
constexpr std::size_t max_log_lines = 201;  // one more than is shown, so that it is seen that there are more

serve::Response reply(int status, const json::Value& value) {
  return {status, json::compact(value)};
}

/// Error invalid_input where it is missing.
const std::string& query_of(const serve::Request& request, const std::string& name) {
  const auto found = request.target.query.find(name);
  if (found == request.target.query.end())
    throw Error{ErrorKind::invalid_input, fmt::format("the query lacks {}", name)};
  return found->second;
}

std::chrono::milliseconds time_limit_of(const serve::Request& request) {
  const auto& text = query_of(request, "time_limit_ms");
  std::int64_t out = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), out);
  if (end.ec != std::errc{} || end.ptr != text.data() + text.size())
    throw Error{ErrorKind::invalid_input, "time_limit_ms is no number"};
  return std::chrono::milliseconds{std::clamp<std::int64_t>(out, 1, longest_hook_ms)};
}

/// Error invalid_input or usage for what is malformed.
deploy::HookCall call_in(const HookPlace& place, const serve::Request& request) {
  return {.root = place.root,
          .file = place.file,
          .folder = place.folder,
          .run_record = request.body,
          .service = Url::parse(fmt::format("http://127.0.0.1:{}", place.way_out)),
          .utid = query_of(request, "utid"),
          .proof_hash = Digest::parse(query_of(request, "proof_hash")),
          .claims_digest = Digest::parse(query_of(request, "claims_digest")),
          .time_limit = time_limit_of(request),
          .memory = place.memory,
          .folder_size = place.folder_size,
          .only_way_out = place.only_way_out};
}

std::string digest_of(const deploy::HookCall& call) {
  const json::Array all{call.utid, call.proof_hash.text(), call.claims_digest.text(), call.time_limit.count(),
                        call.run_record};
  return crypto::sha256(json::compact(all)).text();
}

json::Array array_of(const std::vector<std::string>& texts) {
  json::Array out;
  for (const auto& text : texts) out.emplace_back(text);
  return out;
}

json::Value outcome_of(const deploy::HookEnd& end) {
  return json::Object{
      {"proof", json::Object{{"digest", crypto::sha256(end.proof).text()}, {"size", std::uint64_t{end.proof.size()}}}},
      {"log", array_of(deploy::first_lines(end.said, max_log_lines))},
      {"missing", array_of(end.missing)}};
}

}  // namespace

HookService::~HookService() {
  if (m_thread.joinable()) m_thread.join();
}

serve::Response HookService::answer(const serve::Request& request) {
  const auto& path = request.target.path;
  const bool is_get = request.method == "GET";
  if (is_get && path == "/healthz") return reply(200, json::Object{{"status", "ok"}});
  if (path == "/v1/hook" && request.method == "POST") return begin(request);
  if (!is_get) return serve::refusal(404, "Not found");
  if (path == "/v1/hook") return find(wait_of(request));
  if (path == "/v1/hook/proof") return proof();
  if (path != "/readyz") return serve::refusal(404, "Not found");
  const std::lock_guard lock{m_mutex};
  if (!m_input_digest.empty()) return serve::refusal(503, "Used: this agent has had the call that it is there for");
  return reply(200, json::Object{{"status", "ok"}});
}

serve::Response HookService::begin(const serve::Request& request) {
  std::optional<deploy::HookCall> call;
  try {
    call = call_in(m_place, request);
  } catch (const Error& error) {
    return serve::refusal(422, error.message());
  }
  const auto digest = digest_of(*call);
  const std::lock_guard lock{m_mutex};
  if (!m_input_digest.empty())
    return digest == m_input_digest ? state(200) : serve::refusal(409, "The hook was called for something else");
  m_input_digest = digest;
  m_thread = std::thread{[this, call = *call] { serve(call); }};
  return state(202);
}

/// With the lock held.
serve::Response HookService::state(int status) const {
  json::Object out{{"state", m_outcome ? "done" : "running"}};
  if (m_outcome) out.set("outcome", *m_outcome);
  return reply(status, out);
}

serve::Response HookService::find(std::chrono::milliseconds patience) {
  std::unique_lock lock{m_mutex};
  if (m_input_digest.empty()) return serve::refusal(404, "The hook was not called");
  m_changed.wait_for(lock, patience, [this] { return m_outcome.has_value(); });
  return state(200);
}

serve::Response HookService::proof() {
  const std::lock_guard lock{m_mutex};
  return m_proof ? serve::Response{200, *m_proof} : serve::refusal(404, "There is no proof");
}

void HookService::serve(const deploy::HookCall& call) {
  json::Value outcome;
  std::optional<std::string> proof;
  try {
    std::filesystem::create_directories(call.folder);
    auto end = deploy::run_hook(call);
    outcome = outcome_of(end);
    proof = std::move(end.proof);
  } catch (const Error& error) {
    outcome = deploy::to_json(error);
  } catch (const std::exception& error) {
    outcome = deploy::to_json(Error{ErrorKind::capsule_failed, error.what()});
  }
  const std::lock_guard lock{m_mutex};
  m_outcome = std::move(outcome);
  m_proof = std::move(proof);
  m_changed.notify_all();
}

}  // namespace agent
