#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "http/client.hpp"

namespace capsule::oci {

/// What a registry token is for (distribution's token scope): resources, "repository:a/b", with actions, "pull".
class Scopes {
 public:
  Scopes() = default;
  /// "repository:a/b:pull,push registry:catalog:*"; what has no such form is left out.
  explicit Scopes(std::string_view text);
  void add(std::string_view resource, std::string_view action);
  void add(const Scopes& other);
  /// Whether a token for these serves for `other` too.
  [[nodiscard]] bool cover(const Scopes& other) const;
  /// Each as text, sorted.
  [[nodiscard]] std::set<std::string> texts() const;

 private:
  std::map<std::string, std::set<std::string>, std::less<>> m_actions;
};

/// What a request of the distribution API needs: pull of its repository, push where it writes, and pull of the one that
/// it mounts from. Empty where the path says nothing (`/v2/`, an upload's Location of another form).
Scopes scopes_of(const http::Request& request);

}  // namespace capsule::oci
