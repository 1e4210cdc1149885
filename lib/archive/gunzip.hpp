#pragma once

#include <memory>

#include "core/stream.hpp"

namespace capsule::archive {

/// A gzip stream of one or more members (RFC 1952 §2.2), as image layers come: each header, CRC and length is checked
/// (libarchive 3.6 does not), and nothing but members may follow. Error invalid_input.
class Gunzip final : public Source {
 public:
  /// `compressed` must outlive it.
  explicit Gunzip(Source& compressed);
  Gunzip(const Gunzip&) = delete;
  Gunzip& operator=(const Gunzip&) = delete;
  ~Gunzip() override;
  std::size_t read(MutableBytes buffer) override;

 private:
  struct State;
  bool refill();
  bool begin_next_member();
  Source& m_compressed;
  std::unique_ptr<State> m_state;
};

}  // namespace capsule::archive
