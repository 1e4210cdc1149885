#pragma once

#include <memory>

#include "core/stream.hpp"

namespace capsule::archive {

/// What one gzip member of another tool holds (zlib). Strict: header, CRC and length are checked, and nothing may
/// follow the member: no second stream, no padding. Error invalid_input.
class ForeignGzip final : public Source {
 public:
  /// `front`: bytes that were read from `rest` already.
  ForeignGzip(ByteView front, Source& rest);
  ForeignGzip(const ForeignGzip&) = delete;
  ForeignGzip& operator=(const ForeignGzip&) = delete;
  ~ForeignGzip() override;
  std::size_t read(MutableBytes buffer) override;

 private:
  struct State;
  std::unique_ptr<State> m_state;
};

}  // namespace capsule::archive
