#include "index/uri.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/semver.hpp"
#include "core/url.hpp"
#include "oci/reference.hpp"

namespace capsule::index {

namespace {

constexpr std::string_view scheme = "capsule://";
constexpr std::string_view latest = "latest";

[[noreturn]] void refuse(std::string_view text, std::string_view reason) {
  throw Error{ErrorKind::usage, fmt::format("not a capsule URI (capsule://<name>:<version>[?proof=true]), {}: '{}'",
                                            reason, without_userinfo(text))};
}

}  // namespace

CapsuleUri CapsuleUri::parse(std::string_view text) {
  if (!text.starts_with(scheme)) refuse(text, "it does not begin with capsule://");
  auto rest = text.substr(scheme.size());
  CapsuleUri uri;
  if (const auto question = rest.find('?'); question != std::string_view::npos) {
    const auto query = rest.substr(question + 1);
    if (query == "proof=true")
      uri.proof = Proof::required;
    else if (query != "proof=false")
      refuse(text, "its query may only be proof=true or proof=false");
    rest = rest.substr(0, question);
  }
  if (const auto at = rest.find('@'); at != std::string_view::npos) {
    if (!rest.substr(at + 1).starts_with("sha256:")) refuse(text, "behind '@' a digest is wanted, sha256:<64 hex>");
    uri.digest =
        as_usage(fmt::format("in '{}'", without_userinfo(text)), [&] { return Digest::parse(rest.substr(at + 1)); });
    rest = rest.substr(0, at);
  }
  if (const auto slash = rest.rfind('/'); slash != std::string_view::npos) {
    if (!oci::is_registry_place(rest.substr(0, slash))) refuse(text, "its registry is not <host>[:<port>]/<base>");
    uri.registry = std::string{rest.substr(0, slash)};
    rest.remove_prefix(slash + 1);
  }
  const auto colon = rest.find(':');
  uri.name = std::string{rest.substr(0, colon)};
  if (!is_name(uri.name)) refuse(text, "its name is not [a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?");
  if (colon != std::string_view::npos) uri.version = std::string{rest.substr(colon + 1)};
  if (uri.digest.has_value() == (colon != std::string_view::npos))
    refuse(text, "it needs either ':<version>' or '@sha256:…'");
  if (colon != std::string_view::npos && uri.version != latest && !is_version(uri.version))
    refuse(text, "its version is no semantic version");
  return uri;
}

std::string CapsuleUri::text() const {
  return fmt::format("{}{}{}{}{}{}{}", scheme, registry, registry.empty() ? "" : "/", name, digest ? "@" : ":",
                     digest ? digest->text() : version, proof == Proof::required ? "?proof=true" : "");
}

}  // namespace capsule::index
