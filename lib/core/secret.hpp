#pragma once

#include <string>
#include <string_view>

namespace capsule {

/// A passphrase, PIN, token or API key: cannot be printed, formatted or compared by accident; its memory is
/// overwritten when it goes.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : m_value(std::move(value)) {}
  Secret(const Secret&) = default;
  Secret& operator=(const Secret& other);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  ~Secret();

  [[nodiscard]] bool empty() const noexcept { return m_value.empty(); }
  /// The value, for the one call that needs it.
  [[nodiscard]] std::string_view reveal() const noexcept { return m_value; }

 private:
  void wipe() noexcept;
  std::string m_value;
};

/// Puts "…" in place of a secret wherever it stands in `text`: what a server sends back must not get into a message.
void redact(std::string& text, std::string_view secret);

}  // namespace capsule
