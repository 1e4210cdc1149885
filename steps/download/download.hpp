#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/digest.hpp"
#include "fs/fd.hpp"
#include "http/client.hpp"
#include "http/retry.hpp"
#include "image/working_store.hpp"
#include "log/progress.hpp"
#include "oci/reference.hpp"
#include "step/registry_options.hpp"

namespace download {

/// How the next steps get the package.
enum class HandOver {
  store,    ///< in the working store
  registry  ///< it stays in the one that it is in, or is put into Options::registry; its reference is handed over
};

struct Options {
  std::string source;
  std::string store;   ///< empty: STATE/store
  std::string digest;  ///< empty: any
  std::string registry;
  HandOver hand_over = HandOver::store;
  std::string trust;
  std::string key;
  std::string pkcs11_module;
  capsule::step::RegistryOptions registries;
  std::chrono::milliseconds patience = std::chrono::seconds{30};  ///< longest silence of a server
  capsule::fs::Path state;
  std::uint64_t max_bytes = std::uint64_t{64} << 30U;
};

/// What a download needs and does not know itself; tests bring their own.
struct Surroundings {
  capsule::http::Client& client;  ///< one that does not try again by itself
  capsule::log::Progress& progress;
  capsule::http::RetryPolicy retry{};
  capsule::http::Timer timer = capsule::http::Timer::real();
};

struct Result {
  capsule::Digest digest;  ///< of the package
  capsule::fs::Path path;  ///< in the store; empty for what stays in its registry
  bool already_there = false;
  std::optional<capsule::oci::Reference> reference = {};   ///< in its registry, by the digest of its version index
  std::uint64_t bytes_written = 0;                         ///< to that registry
  std::optional<capsule::oci::Reference> index_head = {};  ///< of the index that a capsule:// URI was looked up in
};

/// Where a package comes from and what it must be: what each kind of source is given.
struct Order {
  const capsule::image::WorkingStore& store;
  std::optional<capsule::Digest> wanted;  ///< another digest is Error verification_failed, and nothing is kept
  std::uint64_t max_bytes;
  /// Suffixes of what else is wanted beside the package in this file, where that cannot be seen.
  std::function<std::vector<std::string>(const capsule::fs::Path&)> further = {};
};

/// Brings the package that `options.source` names into the working store, or into a registry, as `options.hand_over`
/// says. It is judged by its digest alone; that it is a capsule, and whose, is for verify to say.
Result fetch(const Options& options, const Surroundings& surroundings);

/// Refuses early what cannot be a package: the first bytes of a gzip member are wanted (RFC 1952 §2.3).
void check_magic(capsule::ByteView first_bytes, const std::string& where);
/// Error invalid_input for more bytes than are accepted.
void check_size(const Order& order, std::uint64_t size, const std::string& where);
/// Error verification_failed unless `got` is what was ordered.
void check_digest(const Order& order, const capsule::Digest& got, const std::string& where);

}  // namespace download
