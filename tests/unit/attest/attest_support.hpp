#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/error.hpp"
#include "crypto/key.hpp"

inline std::string key_path(const std::string& name) {
  return std::string{CAPSULE_TEST_SOURCE} + "/tests/keys/" + name + ".pem";
}

inline std::unique_ptr<capsule::crypto::Signer> test_signer(const std::string& name) {
  return capsule::crypto::open_signer(key_path(name), {});
}

inline capsule::crypto::PublicKey test_key(const std::string& name) {
  return capsule::crypto::PublicKey::from_file(key_path(name + ".pub"));
}

/// `text` with the first `from` replaced; it must be there.
inline std::string with(std::string text, std::string_view from, std::string_view to) {
  const auto place = text.find(from);
  if (place == std::string::npos) throw std::logic_error{"not there: " + std::string{from}};
  return text.replace(place, from.size(), to);
}

/// The error that `work` ends with; kind unavailable if it does not.
inline capsule::Error error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const capsule::Error& error) {
    return error;
  }
  return {capsule::ErrorKind::unavailable, "no error"};
}
