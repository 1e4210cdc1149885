#pragma once

#include <fmt/format.h>

#include "capsule/package_reader.hpp"
#include "core/error.hpp"
#include "core/stream.hpp"

namespace capsule {

/// Counts, limits and reports the bytes of the package.
class MeteredSource final : public Source {
 public:
  MeteredSource(Source& source, const ReadOptions& options) : m_source(source), m_options(options) {}

  std::size_t read(MutableBytes buffer) override {
    const auto count = m_source.read(buffer);
    m_count += count;
    if (m_count > m_options.limits.total_bytes) {
      throw Error{ErrorKind::invalid_input,
                  fmt::format("the package is larger than {}, the limit", human_size(m_options.limits.total_bytes))};
    }
    if (m_options.progress != nullptr) m_options.progress->advance(count);
    return count;
  }
  [[nodiscard]] std::uint64_t count() const noexcept { return m_count; }

 private:
  Source& m_source;
  const ReadOptions& m_options;
  std::uint64_t m_count = 0;
};

}  // namespace capsule
