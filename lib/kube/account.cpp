#include "kube/account.hpp"

#include <algorithm>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "json/parse.hpp"

namespace capsule::kube {

std::string account_of(const Secret& token) {
  auto rest = token.reveal();
  const auto first = rest.find('.');
  if (first == std::string_view::npos) return {};
  rest.remove_prefix(first + 1);
  std::string payload{rest.substr(0, rest.find('.'))};
  std::replace(payload.begin(), payload.end(), '-', '+');
  std::replace(payload.begin(), payload.end(), '_', '/');
  while (payload.size() % 4 != 0) payload += '=';
  try {
    const auto value = json::parse(as_text(from_base64(payload)), "token");
    const auto* subject = value.at_pointer("/sub");
    return subject == nullptr || subject->if_string() == nullptr ? std::string{} : printable(*subject->if_string());
  } catch (const Error&) {
    return {};
  }
}

}  // namespace capsule::kube
