#include "api_key.hpp"

#include "core/error.hpp"
#include "fs/atomic_file.hpp"

namespace generate_proof {

using namespace capsule;

std::optional<Secret> read_api_key(const fs::Path& file) {
  constexpr std::size_t max_bytes = 4096;
  if (file.empty() || !std::filesystem::exists(file)) return std::nullopt;
  auto text = as_usage("", [&] { return fs::read_file(file, max_bytes); });
  text.erase(text.find_last_not_of(" \t\r\n") + 1);
  if (text.empty()) throw Error{ErrorKind::usage, "the file of --proof-api-key-file is empty"};
  return Secret{std::move(text)};
}

}  // namespace generate_proof
