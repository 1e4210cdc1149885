#pragma once

#include <curl/curl.h>
#include <fmt/format.h>

#include <memory>
#include <new>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace capsule::http {

struct FreeList {
  void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};
using List = std::unique_ptr<curl_slist, FreeList>;

struct FreeEasy {
  void operator()(CURL* easy) const noexcept { curl_easy_cleanup(easy); }
};
using Easy = std::unique_ptr<CURL, FreeEasy>;

template <typename Value>
void set(CURL* easy, CURLoption option, Value value) {
  const auto code = curl_easy_setopt(easy, option, value);
  if (code == CURLE_OUT_OF_MEMORY) throw std::bad_alloc{};
  if (code != CURLE_OK) {
    throw Error{ErrorKind::usage, fmt::format("this libcurl cannot be used (option {}: {})", static_cast<int>(option),
                                              curl_easy_strerror(code))};
  }
}

inline void append(List& list, const std::string& line) {
  curl_slist* longer = curl_slist_append(list.get(), line.c_str());
  if (longer == nullptr) throw std::bad_alloc{};
  static_cast<void>(list.release());
  list.reset(longer);
}

/// "Name;" is how libcurl is told to send a header without a value.
inline void append_header(List& list, std::string_view name, std::string_view value) {
  append(list, value.empty() ? fmt::format("{};", name) : fmt::format("{}: {}", name, value));
}

}  // namespace capsule::http
