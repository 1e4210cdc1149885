#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "deploy/proof_hook.hpp"
#include "json/value.hpp"
#include "serve/message.hpp"

namespace agent {

/// A capsule's proof hook, and where it runs: what `--hook` says.
struct HookPlace {
  capsule::fs::Path root;
  std::string file;                          ///< of the hook, below root
  capsule::fs::Path folder;                  ///< for what it reads and writes
  std::uint16_t way_out = 0;                 ///< port of our loopback, where a relay to the proof service listens
  std::optional<std::uint64_t> memory;       ///< bytes that the manifest asks for
  std::optional<std::uint64_t> folder_size;  ///< bytes that `folder` may hold
  bool only_way_out = true;                  ///< the hook is not run where it could reach more of the network
};

/// What an agent answers that is there for one call of the proof hook, instead of runs:
///
/// | method, path       | answer                                                                                      |
/// |--------------------|---------------------------------------------------------------------------------------------|
/// | GET /healthz       | 200                                                                                         |
/// | GET /readyz        | 200 until the hook is called; then 503                                                      |
/// | POST /v1/hook      | ?utid, proof_hash, claims_digest, time_limit_ms; the body is the run record: 202 begun, 200 |
/// |                    | known, 409 for another call, 422                                                            |
/// | GET /v1/hook       | {state: running or done, outcome}, ?wait_ms=N waits for its end; 404                        |
/// | GET /v1/hook/proof | the bytes of proof.json, once it ended well; 404                                            |
class HookService {
 public:
  explicit HookService(HookPlace place) : m_place(std::move(place)) {}
  HookService(const HookService&) = delete;
  HookService& operator=(const HookService&) = delete;
  /// Waits for the hook.
  ~HookService();
  /// From several threads.
  capsule::serve::Response answer(const capsule::serve::Request& request);

 private:
  capsule::serve::Response begin(const capsule::serve::Request& request);
  capsule::serve::Response find(std::chrono::milliseconds patience);
  capsule::serve::Response proof();
  [[nodiscard]] capsule::serve::Response state(int status) const;
  void serve(const capsule::deploy::HookCall& call);

  const HookPlace m_place;
  std::mutex m_mutex;
  std::condition_variable m_changed;
  std::string m_input_digest;  ///< of the one call; empty: it has not come
  std::optional<capsule::json::Value> m_outcome;
  std::optional<std::string> m_proof;
  std::thread m_thread;
};

}  // namespace agent
