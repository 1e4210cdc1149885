#include "step/passphrase.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "core/error.hpp"
#include "fs/fd.hpp"

namespace capsule::step {

namespace {

constexpr std::size_t max_passphrase = 1024;

Secret read_secret_file(const std::string& file) {
  auto source = as_usage("", [&] { return fs::FileSource{file}; });
  std::array<char, max_passphrase + 3> buffer{};  // room for a line's end, and for one byte too many
  auto size = read_fully(source, std::as_writable_bytes(std::span{buffer}));
  if (size > 0 && buffer.at(size - 1) == '\n') --size;
  if (size > 0 && buffer.at(size - 1) == '\r') --size;
  const bool fits =
      size > 0 && size <= max_passphrase && std::string_view{buffer.data(), size}.find('\n') == std::string_view::npos;
  Secret secret{fits ? std::string{buffer.data(), size} : std::string{}};
  ::explicit_bzero(buffer.data(), buffer.size());
  if (!fits) {
    throw Error{ErrorKind::usage, fmt::format("{}: one line of 1 to {} bytes is wanted, the passphrase",
                                              printable(file, 1024), max_passphrase)};
  }
  return secret;
}

}  // namespace

CLI::Option* add_passphrase_option(CLI::App& app, std::string& file) {
  return app
      .add_option("--passphrase-file", file,
                  "File with the passphrase of an encrypted key; else $CAPSULE_PASSPHRASE is used")
      ->type_name("FILE");
}

std::optional<Secret> read_passphrase(const std::string& file, MissingFile missing) {
  if (!file.empty() && (missing == MissingFile::is_error || std::filesystem::exists(file)))
    return read_secret_file(file);
  const char* value = std::getenv("CAPSULE_PASSPHRASE");  // NOLINT(concurrency-mt-unsafe)
  if (value == nullptr || *value == '\0') return std::nullopt;
  return Secret{value};
}

}  // namespace capsule::step
