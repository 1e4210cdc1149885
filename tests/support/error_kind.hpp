#pragma once

#include <catch2/catch.hpp>
#include <functional>

#include "core/error.hpp"

/// Of the error that `work` must end with.
inline capsule::ErrorKind kind_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const capsule::Error& error) {
    return error.kind();
  }
  FAIL("an error is wanted");
  throw;
}
