#include "ranges.hpp"

namespace download {

using namespace capsule;

namespace {

std::string value_of(const http::Headers& headers, std::string_view name) {
  const auto* value = headers.find(name);
  return value == nullptr ? std::string{} : *value;
}

/// Whether two answers can be of the same bytes: a validator that both have must be the same.
bool may_be_same(const Validators& known, const Validators& now) {
  if (!known.etag.empty() && !now.etag.empty() && known.etag != now.etag) return false;
  if (known.etag.empty() && !known.last_modified.empty() && !now.last_modified.empty() &&
      known.last_modified != now.last_modified) {
    return false;
  }
  return !known.size || !now.size || *known.size == *now.size;
}

}  // namespace

Validators validators_of(const http::Head& head) {
  Validators validators{value_of(head.headers, "ETag"), value_of(head.headers, "Last-Modified"), {}};
  if (head.status == 200) {
    validators.size = head.content_length();
  } else if (const auto range = http::parse_content_range(value_of(head.headers, "Content-Range"))) {
    validators.size = range->total;
  }
  return validators;
}

Verdict judge(const http::Head& head, std::uint64_t offset, const Validators& known) {
  if (head.status == 200) return Verdict::whole;
  const auto range = http::parse_content_range(value_of(head.headers, "Content-Range"));
  const auto now = validators_of(head);
  if (!range || !may_be_same(known, now)) return Verdict::start_over;
  if (head.status == 416) return range->total == offset ? Verdict::complete : Verdict::start_over;
  return range->first == offset ? Verdict::append : Verdict::start_over;
}

}  // namespace download
