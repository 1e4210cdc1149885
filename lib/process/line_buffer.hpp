#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace capsule::process {

/// Cuts what comes in pieces into lines.
class LineBuffer {
 public:
  using Function = std::function<void(std::string_view)>;
  static constexpr std::size_t longest = std::size_t{64} << 10U;
  explicit LineBuffer(Function function) : m_function(std::move(function)) {}
  /// Calls the function with each line that is whole now, without its end; one that is too long comes in pieces.
  void add(std::string_view text);
  /// Calls it with a last line that has no end.
  void finish();

 private:
  Function m_function;
  std::string m_rest;
};

}  // namespace capsule::process
