#pragma once

#include <cstdint>

#include "http/client.hpp"
#include "http/content_range.hpp"
#include "partial_file.hpp"

namespace download {

/// The validators of an answer; `size` is that of the whole resource.
Validators validators_of(const capsule::http::Head& head);

enum class Verdict {
  append,     ///< the body goes on where the partial file ends
  whole,      ///< the body is all of it: begin anew
  complete,   ///< the partial file is all there is
  start_over  ///< what is here belongs to something else: drop it and ask without a range
};

/// What an answer (200, 206 or 416) to a request from `offset` on means, when what is here belongs to a resource with
/// the validators `known`. Pure.
Verdict judge(const capsule::http::Head& head, std::uint64_t offset, const Validators& known);

}  // namespace download
