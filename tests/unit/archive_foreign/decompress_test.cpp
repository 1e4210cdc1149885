#include "archive/decompress.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"

using namespace capsule;
using archive::Compression;
using archive::Decompressed;

namespace {

const std::string plain = "hello hello hello hello\n";
const std::string gzip = "H4sIAAAAAAAAA8tIzcnJV8hAJ7kAAIhZCxgAAAA=";
const std::string zstd = "KLUv/SQYbQAAOGhlbGxvIAoBAJlLEah8Lqg=";
const std::string xz =
    "/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4AAXAAxdADQZSe6N6VYKwSGwAABsFO0bO2i7kQABKBjXg7duH7bzfQEAAAAABFla";
const std::string bzip2 = "QlpoOTFBWSZTWW9PEPMAAAXRAAAQQAACRKAAMMACqDRxDa2HDxdyRThQkG9PEPM=";

std::string bytes_of(const std::string& base64) {
  return std::string{as_text(from_base64(base64))};
}

std::string decompress(std::string_view text, const archive::DecompressLimits& limits = {}) {
  ViewSource source{as_bytes(text)};
  Decompressed plain_source{source, limits};
  StringSink sink{1U << 30U};
  copy(plain_source, sink);
  return sink.take();
}

bool is_refused(std::string_view text, const archive::DecompressLimits& limits = {}) {
  try {
    (void)decompress(text, limits);
  } catch (const Error& error) {
    return error.kind() == ErrorKind::invalid_input;
  }
  return false;
}

}  // namespace

TEST_CASE("gzip, zstd, xz and plain bytes are read alike") {
  CHECK(decompress(bytes_of(gzip)) == plain);
  CHECK(decompress(bytes_of(zstd)) == plain);
  CHECK(decompress(bytes_of(xz)) == plain);
  CHECK(decompress(plain) == plain);
  CHECK(decompress("").empty());
  CHECK(decompress("x") == "x");
  CHECK(decompress(bytes_of(gzip) + bytes_of(gzip)) == plain + plain);
  CHECK(decompress(bytes_of(zstd) + bytes_of(zstd)) == plain + plain);
  CHECK(archive::detect_compression(as_bytes(bytes_of(xz))) == Compression::xz);
}

TEST_CASE("a broken or cut stream, a wrong CRC, and what follows a stream are refused") {
  CHECK(is_refused(bytes_of(bzip2)));
  for (const auto& whole : {bytes_of(gzip), bytes_of(zstd), bytes_of(xz)}) {
    for (std::size_t cut = 6; cut < whole.size(); ++cut) {
      CAPTURE(cut);
      CHECK(is_refused(std::string_view{whole}.substr(0, cut)));
    }
  }
  for (const std::size_t at : {std::size_t{12}, bytes_of(gzip).size() - 8, bytes_of(gzip).size() - 1}) {
    auto broken = bytes_of(gzip);
    broken[at] = static_cast<char>(broken[at] ^ 1);
    CAPTURE(at);
    CHECK(is_refused(broken));
  }
  CHECK(is_refused(bytes_of(gzip) + "garbage"));
  CHECK(is_refused(bytes_of(gzip) + std::string(100, '\0')));
  CHECK(is_refused(bytes_of(gzip) + "\x1f\x8b"));
}

TEST_CASE("a decompression bomb is stopped by size and by ratio") {
  CHECK(is_refused(bytes_of(gzip), {.bytes = 20}));
  CHECK(is_refused(plain, {.bytes = 20}));
  CHECK(decompress(bytes_of(gzip), {.bytes = 24, .free_bytes = 0, .ratio = 1}) == plain);  // it hardly shrank
  const auto bomb = bytes_of("KLUv/QBoTAAACAABAPz/ORACAgAQAAOfBAA=");                      // 300,000 zeros
  CHECK(decompress(bomb).size() == 300'000);
  CHECK(is_refused(bomb, {.free_bytes = 1000, .ratio = 250}));
}

TEST_CASE("an error of the input comes through") {
  class Failing final : public Source {
   public:
    std::size_t read(MutableBytes) override { throw Error{ErrorKind::unavailable, "the disk is gone"}; }
  };
  class Late final : public Source {
   public:
    std::size_t read(MutableBytes buffer) override {
      if (const auto count = m_front.read(buffer)) return count;
      throw Error{ErrorKind::unavailable, "the disk is gone"};
    }

   private:
    std::string m_text = bytes_of(zstd).substr(0, 10);
    ViewSource m_front{as_bytes(m_text)};
  };
  Failing failing;
  CHECK_THROWS_AS(Decompressed{failing}, Error);
  Late late;
  Bytes buffer(100);
  try {
    Decompressed source{late};
    (void)source.read(buffer);
    FAIL("an error is wanted");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::unavailable);
  }
}
