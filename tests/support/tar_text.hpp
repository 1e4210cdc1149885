#pragma once

#include <fmt/format.h>

#include <cstring>
#include <string>
#include <string_view>

/// Builds a plain ustar archive as other tools write it, also one that no tool should.
class TarText {
 public:
  TarText& file(std::string_view path, std::string_view content) { return body(path, '0', content); }
  /// A pax header with one record before the next entry.
  TarText& pax(std::string_view key, std::string_view value, char type = 'x') {
    const auto rest = key.size() + value.size() + 3;
    auto length = rest + 1;
    while (std::to_string(length).size() + rest != length) ++length;
    return body("pax", type, fmt::format("{} {}={}\n", length, key, value));
  }
  /// An entry of any type with content.
  TarText& body(std::string_view path, char type, std::string_view content) {
    header(path, type, {}, content.size());
    m_text += content;
    m_text.append((512 - content.size() % 512) % 512, '\0');
    return *this;
  }
  TarText& folder(std::string_view path) { return entry(path, '5'); }
  TarText& symlink(std::string_view path, std::string_view target) { return entry(path, '2', target); }
  TarText& hardlink(std::string_view path, std::string_view target) { return entry(path, '1', target); }
  TarText& device(std::string_view path, unsigned major) {
    header(path, '3', {}, 0, major);
    return *this;
  }
  TarText& entry(std::string_view path, char type, std::string_view target = {}) {
    header(path, type, target, 0);
    return *this;
  }
  [[nodiscard]] std::string text() const { return m_text + std::string(1024, '\0'); }
  [[nodiscard]] std::string unfinished() const { return m_text; }

 private:
  void header(std::string_view path, char type, std::string_view target, std::size_t size, unsigned major = 0) {
    std::string block(512, '\0');
    const auto put = [&](std::size_t at, std::string_view text) { block.replace(at, text.size(), text); };
    put(0, path);
    put(100, "0000644");
    put(108, "0000000");
    put(116, "0000000");
    put(124, fmt::format("{:011o}", size));
    put(136, "00000000000");
    put(148, "        ");
    block[156] = type;
    put(157, target);
    put(257, std::string_view{"ustar\0"
                              "00",
                              8});
    put(329, fmt::format("{:07o}", major));
    put(337, "0000000");
    unsigned sum = 0;
    for (const char c : block) sum += static_cast<unsigned char>(c);
    put(148, fmt::format("{:06o}", sum));
    block[154] = '\0';
    m_text += block;
  }
  std::string m_text;
};
