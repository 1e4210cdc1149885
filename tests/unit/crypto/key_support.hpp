#pragma once

#include <string>

#include "crypto/key.hpp"
#include "fs/fd.hpp"

inline std::string key_path(const std::string& name) {
  return std::string{CAPSULE_TEST_SOURCE} + "/tests/keys/" + name + ".pem";
}

inline std::string key_text(const std::string& name) {
  return capsule::fs::read_file(key_path(name), 65536);
}
