#include "fs/direct_sink.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "fs/temporary.hpp"

using namespace capsule;

namespace {

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>((i * 7919) >> 5U);
  return text;
}

std::string written(const fs::Path& parent, std::string_view content, std::size_t step) {
  const fs::TemporaryFolder folder{parent};
  const auto path = folder.path() / "file";
  fs::AtomicFile file{path};
  fs::DirectSink sink{file};
  for (std::size_t i = 0; i < content.size(); i += step) sink.write(as_bytes(content.substr(i, step)));
  sink.finish();
  file.commit();
  return fs::read_file(path, std::size_t{64} << 20U);
}

}  // namespace

TEST_CASE("what goes past the page cache arrives whole, whatever its length and its pieces") {
  constexpr std::size_t mib = std::size_t{1} << 20U;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{4096}, mib - 1, mib, mib + 1, 3 * mib, 5 * mib + 4097}) {
    CAPTURE(size);
    const auto content = pattern(size);
    for (const std::size_t step : {std::size_t{1000}, mib, 2 * mib + 3}) {
      CHECK(written(fs::temporary_parent(), content, step) == content);
    }
    // In memory, where there may be no such writes.
    if (std::filesystem::is_directory("/dev/shm")) CHECK(written("/dev/shm", content, 100'000) == content);
  }
}

TEST_CASE("a sink that is given up leaves nothing") {
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  {
    fs::AtomicFile file{folder.path() / "file"};
    fs::DirectSink sink{file};
    sink.write(as_bytes(pattern(3'000'000)));
  }
  CHECK_FALSE(std::filesystem::exists(folder.path() / "file"));
}

TEST_CASE("a failing write comes out of the sink") {
  const fs::TemporaryFolder folder{fs::temporary_parent()};
  fs::AtomicFile file{folder.path() / "file"};
  fs::DirectSink sink{file};
  ::close(file.fd());  // every write fails from here on
  const auto attempt = [&] {
    sink.write(as_bytes(pattern(5'000'000)));
    sink.finish();
  };
  CHECK_THROWS_AS(attempt(), Error);
}
