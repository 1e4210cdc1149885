#pragma once

#include <deque>
#include <stdexcept>
#include <variant>
#include <vector>

#include "http/client.hpp"

namespace capsule::test {

/// Answers what it was told to, in that order, and remembers what it was asked.
class FakeHttpClient final : public http::Client {
 public:
  using Answer = std::function<http::Response(const http::Request&)>;

  void answer(int status, std::string body = {}, http::Headers headers = {}) {
    m_answers.emplace_back([=](const http::Request& request) -> http::Response {
      if (status < 200 || status > 299 || !request.open_sink) return {status, headers, body, request.url};
      request.open_sink({status, headers}).write(as_bytes(body));
      return {status, headers, {}, request.url};
    });
  }
  template <typename Exception>
  void fail(Exception exception) {
    m_answers.emplace_back([=](const http::Request&) -> http::Response { throw exception; });
  }
  /// A test's own logic for the next request.
  void answer_with(Answer answer) { m_answers.push_back(std::move(answer)); }

  http::Response send(const http::Request& request) override {
    m_seen.push_back(request);
    if (m_answers.empty()) throw std::logic_error{"nobody told the fake to expect " + request.url.text()};
    const auto answer = std::move(m_answers.front());
    m_answers.pop_front();
    return answer(request);
  }

  [[nodiscard]] const std::vector<http::Request>& seen() const noexcept { return m_seen; }
  [[nodiscard]] bool done() const noexcept { return m_answers.empty(); }

 private:
  std::deque<Answer> m_answers;
  std::vector<http::Request> m_seen;
};

}  // namespace capsule::test
