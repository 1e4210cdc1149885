#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/bytes.hpp"

namespace capsule {

/// Where bytes go. Throws Error when they cannot.
class Sink {
 public:
  Sink() = default;
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;
  virtual ~Sink() = default;
  virtual void write(ByteView bytes) = 0;
};

/// Where bytes come from.
class Source {
 public:
  Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  virtual ~Source() = default;
  /// Fills the front of `buffer`; returns the number of bytes, 0 only at the end (or for an empty buffer).
  virtual std::size_t read(MutableBytes buffer) = 0;
};

/// Collects what is written; Error invalid_input beyond `limit` bytes.
class StringSink final : public Sink {
 public:
  explicit StringSink(std::size_t limit) : m_limit(limit) {}
  void write(ByteView bytes) override;
  [[nodiscard]] const std::string& text() const noexcept { return m_text; }
  [[nodiscard]] std::string take() noexcept { return std::move(m_text); }

 private:
  std::size_t m_limit;
  std::string m_text;
};

/// Reads from a text that outlives it.
class ViewSource final : public Source {
 public:
  explicit ViewSource(ByteView bytes) : m_rest(bytes) {}
  std::size_t read(MutableBytes buffer) override;

 private:
  ByteView m_rest;
};

/// Calls a function with all that is written.
class FunctionSink final : public Sink {
 public:
  explicit FunctionSink(std::function<void(ByteView)> function) : m_function(std::move(function)) {}
  void write(ByteView bytes) override { m_function(bytes); }

 private:
  std::function<void(ByteView)> m_function;
};

/// Drops all.
class NullSink final : public Sink {
 public:
  void write(ByteView) override {}
};

/// Reads `from` to its end into `to`, through one buffer of 1 MiB; returns the number of bytes.
std::uint64_t copy(Source& from, Sink& to);

/// Reads until `buffer` is full or the end; returns the number of bytes.
std::size_t read_fully(Source& from, MutableBytes buffer);

}  // namespace capsule
