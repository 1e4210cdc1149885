#include "oci/transfers.hpp"

#include <algorithm>
#include <memory>
#include <string>

#include "core/error.hpp"
#include "crypto/hash.hpp"

namespace capsule::oci {

BlobContent text_content(std::string_view text) {
  return {crypto::sha256(text), text.size(), [kept = std::make_shared<const std::string>(text)](std::uint64_t offset) {
            return std::make_unique<ViewSource>(as_bytes(*kept).subspan(static_cast<std::size_t>(offset)));
          }};
}

unsigned transfers_at_once(const RegistryLocation& registry) {
  return registry.is_layout() ? 1 : 3;
}

/// Counts each byte once, however often it is read, and ends a transfer that nobody waits for.
class Transfers::Watched final : public Source {
 public:
  Watched(Transfers& owner, std::unique_ptr<Source> next, std::uint64_t offset, std::uint64_t& furthest)
      : m_owner(owner), m_next(std::move(next)), m_at(offset), m_furthest(furthest) {}

  std::size_t read(MutableBytes buffer) override {
    if (m_owner.m_stopped) throw Error{ErrorKind::unavailable, "the transfer was broken off"};
    const auto count = m_next->read(buffer);
    m_at += count;
    if (m_at > m_furthest) {
      m_owner.advance(m_at - m_furthest);
      m_furthest = m_at;
    }
    return count;
  }

 private:
  Transfers& m_owner;
  std::unique_ptr<Source> m_next;
  std::uint64_t m_at;
  std::uint64_t& m_furthest;
};

Transfers::Transfers(Store& store, unsigned at_once) : m_store(store), m_at_once(at_once) {}

Transfers::~Transfers() {
  m_stopped = true;
  join();
}

void Transfers::add(BlobContent content, Count count) {
  const std::lock_guard lock{m_mutex};
  m_queue.push_back({std::move(content), count});
  if (m_at_once > 1 && m_threads.size() < m_at_once) m_threads.emplace_back([this] { work(); });
  m_changed.notify_one();
}

void Transfers::show(log::Progress& progress) {
  const std::lock_guard lock{m_mutex};
  m_progress = &progress;
  progress.advance(m_done);
}

void Transfers::advance(std::uint64_t count) {
  const std::lock_guard lock{m_mutex};
  m_done += count;
  if (m_progress != nullptr) m_progress->advance(count);
}

void Transfers::finish() {
  {
    const std::lock_guard lock{m_mutex};
    m_complete = true;
    m_changed.notify_all();
  }
  if (m_at_once == 1) work();
  join();
  if (m_failure) std::rethrow_exception(m_failure);
}

void Transfers::join() noexcept {
  {
    const std::lock_guard lock{m_mutex};
    m_complete = true;
    m_changed.notify_all();
  }
  for (auto& thread : m_threads) thread.join();
  m_threads.clear();
}

std::optional<Transfers::Order> Transfers::next() {
  std::unique_lock lock{m_mutex};
  m_changed.wait(lock, [this] { return m_complete || !m_queue.empty(); });
  if (m_queue.empty() || m_stopped) return std::nullopt;
  std::optional out{std::move(m_queue.front())};
  m_queue.pop_front();
  return out;
}

void Transfers::work() noexcept {
  try {
    while (const auto order = next()) put(*order);
  } catch (...) {
    fail(std::current_exception());
  }
}

void Transfers::put(const Order& order) {
  const auto& content = order.content;
  std::uint64_t furthest = 0;
  const bool sent = m_store.put_content(
      {content.digest, content.size,
       [&](std::uint64_t offset) { return std::make_unique<Watched>(*this, content.open(offset), offset, furthest); },
       content.check});
  advance(content.size - std::min(content.size, furthest));
  {
    const std::lock_guard lock{m_mutex};
    m_brought.push_back(content.digest);
  }
  if (!sent || order.count == Count::no) return;
  ++m_blobs;
  m_bytes += content.size;
}

void Transfers::fail(std::exception_ptr reason) noexcept {
  const std::lock_guard lock{m_mutex};
  if (!m_failure) m_failure = std::move(reason);
  m_stopped = true;
  m_queue.clear();
}

}  // namespace capsule::oci
