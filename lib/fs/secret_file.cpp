#include "fs/secret_file.hpp"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <span>

#include "core/error.hpp"
#include "fs/fd.hpp"

namespace capsule::fs {

namespace {

constexpr std::size_t max_secret = 1024;

}  // namespace

Secret read_secret_file(const std::string& file, std::string_view what) {
  auto source = as_usage("", [&] { return FileSource{file}; });
  std::array<char, max_secret + 3> buffer{};  // room for a line's end, and for one byte too many
  auto size = read_fully(source, std::as_writable_bytes(std::span{buffer}));
  if (size > 0 && buffer.at(size - 1) == '\n') --size;
  if (size > 0 && buffer.at(size - 1) == '\r') --size;
  const bool fits =
      size > 0 && size <= max_secret && std::string_view{buffer.data(), size}.find('\n') == std::string_view::npos;
  Secret secret{fits ? std::string{buffer.data(), size} : std::string{}};
  ::explicit_bzero(buffer.data(), buffer.size());
  if (!fits) {
    throw Error{ErrorKind::usage,
                fmt::format("{}: one line of 1 to {} bytes is wanted, {}", printable(file, 1024), max_secret, what)};
  }
  return secret;
}

}  // namespace capsule::fs
