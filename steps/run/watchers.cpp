#include "watchers.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "core/error.hpp"
#include "core/time.hpp"
#include "log/log.hpp"

namespace run_step {

using namespace capsule;
using workflow::NodeEvent;
using workflow::Phase;

namespace {

using Clock = std::chrono::steady_clock;

struct Mark {
  std::string_view sign;
  std::string_view colour;
};

Mark mark_of(Phase phase) {
  switch (phase) {
    case Phase::pending:
      return {"◦", "\x1b[2m"};
    case Phase::running:
      return {"●", "\x1b[36m"};
    case Phase::succeeded:
      return {"✔", "\x1b[32m"};
    case Phase::failed:
    case Phase::error:
      return {"✖", "\x1b[31m"};
    case Phase::skipped:
    case Phase::omitted:
      return {"○", "\x1b[2m"};
  }
  return {"?", ""};
}

/// Cuts at `width` characters, not bytes: every UTF-8 continuation byte belongs to the character before.
std::string cut(std::string_view text, std::size_t width) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0U) == 0x80U) continue;
    if (count++ == width) return std::string{text.substr(0, i)};
  }
  return std::string{text};
}

/// An entrypoint that is a container itself has no name of its own.
std::string_view called(std::string_view node) {
  return node.empty() ? "the workflow" : node;
}

bool is_over(Phase phase) {
  return phase != Phase::pending && phase != Phase::running;
}

/// Nodes in the order in which they were first heard of, with their times.
class NodeTable {
 public:
  const NodeLine& update(const NodeEvent& event) {
    const auto [place, fresh] = m_index.emplace(event.node, m_lines.size());
    if (fresh) m_lines.push_back({event.node, event.name, event.depth, event.phase, {}, 1, {}});
    auto& line = m_lines[place->second];
    if (event.phase == Phase::running && !m_started.contains(event.node)) m_started.emplace(event.node, Clock::now());
    line.phase = event.phase;
    line.message = event.message;
    line.attempt = event.attempt;
    refresh(line);
    return line;
  }

  const std::vector<NodeLine>& lines() {
    for (auto& line : m_lines) {
      if (!is_over(line.phase)) refresh(line);
    }
    return m_lines;
  }

 private:
  void refresh(NodeLine& line) const {
    const auto start = m_started.find(line.node);
    if (start != m_started.end())
      line.duration = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start->second);
  }

  std::vector<NodeLine> m_lines;
  std::map<std::string, std::size_t> m_index;
  std::map<std::string, Clock::time_point> m_started;
};

class LineWatcher final : public workflow::Watcher {
 public:
  void changed(const NodeEvent& event) override {
    const auto& line = m_table.update(event);
    if (event.phase == Phase::pending || !changes(event)) return;
    std::string text = fmt::format("{}: {}", called(event.node), name_of(event.phase));
    if (event.attempt > 1) text += fmt::format(", try {}", event.attempt);
    if (is_over(event.phase) && event.phase != Phase::skipped && event.phase != Phase::omitted)
      text += fmt::format(" after {}", human_duration(line.duration));
    if (!event.message.empty()) text += fmt::format(": {}", event.message);
    log::info(text);
  }

  void line(const std::string& node, std::string_view text) override {
    log::info(fmt::format("{} | {}", called(node), text));
  }

 private:
  /// A leaf is told of twice when it begins: as a step, and as a first try.
  bool changes(const NodeEvent& event) {
    const std::pair now{event.phase, event.attempt};
    const auto [place, fresh] = m_last.emplace(event.node, now);
    return fresh || std::exchange(place->second, now) != now;
  }

  NodeTable m_table;
  std::map<std::string, std::pair<Phase, unsigned>> m_last;
};

Size size_of_terminal() {
  constexpr unsigned least_width = 20;
  constexpr unsigned least_height = 4;
  winsize size{};
  Size out;
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0) return out;
  if (size.ws_col > least_width) out.width = size.ws_col;
  // The line below the picture is the cursor's.
  if (size.ws_row > least_height) out.height = size.ws_row - 1U;
  return out;
}

/// Redraws the whole graph in place at each change.
class PictureWatcher final : public workflow::Watcher {
 public:
  ~PictureWatcher() override { draw(); }
  PictureWatcher() = default;
  PictureWatcher(const PictureWatcher&) = delete;
  PictureWatcher& operator=(const PictureWatcher&) = delete;

  void changed(const NodeEvent& event) override {
    m_table.update(event);
    if (event.phase != Phase::pending) draw();
  }

  void line(const std::string& node, std::string_view text) override {
    if (text.find(": error:") == std::string_view::npos && text.find(": warning:") == std::string_view::npos) return;
    erase();
    write(fmt::format("{} | {}\n", called(node), printable(text, 400)));
    draw();
  }

 private:
  static void write(std::string_view text) {
    while (!text.empty()) {
      const auto count = ::write(STDERR_FILENO, text.data(), text.size());
      if (count <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(count));
    }
  }

  void erase() {
    if (m_height > 0) write(fmt::format("\x1b[{}A\x1b[J", m_height));
    m_height = 0;
  }

  void draw() {
    const auto text = picture_of(m_table.lines(), size_of_terminal(), Colour::yes);
    erase();
    write(text);
    m_height = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  }

  NodeTable m_table;
  std::size_t m_height = 0;
};

/// Which nodes have room: of too many, those that matter most now.
std::vector<bool> fitting(const std::vector<NodeLine>& nodes, std::size_t height) {
  std::vector<bool> out(nodes.size(), nodes.size() <= height);
  if (nodes.size() <= height) return out;
  auto room = height - 1;
  const auto show = [&](const auto& wanted) {
    for (std::size_t i = 0; i < nodes.size() && room > 0; ++i) {
      if (out[i] || !wanted(nodes[i].phase)) continue;
      out[i] = true;
      --room;
    }
  };
  show([](Phase phase) { return phase == Phase::running; });
  show([](Phase phase) { return phase == Phase::failed || phase == Phase::error; });
  show([](Phase) { return true; });
  return out;
}

/// "… and 987 more: 900 Succeeded, 87 Pending"
std::string summary_of(const std::vector<NodeLine>& nodes, const std::vector<bool>& shown) {
  std::map<Phase, std::size_t> counts;
  std::size_t all = 0;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (shown[i]) continue;
    ++counts[nodes[i].phase];
    ++all;
  }
  std::string out = fmt::format("… and {} more:", all);
  const char* between = " ";
  for (const auto& [phase, count] : counts)
    out += fmt::format("{}{} {}", std::exchange(between, ", "), count, workflow::name_of(phase));
  return out;
}

}  // namespace

std::string picture_of(const std::vector<NodeLine>& nodes, Size size, Colour colour) {
  const auto shown = fitting(nodes, size.height);
  std::string out;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto& node = nodes[i];
    if (!shown[i]) continue;
    const auto mark = mark_of(node.phase);
    std::string text =
        fmt::format("{}{} {}", std::string(node.depth * 2, ' '), mark.sign, printable(called(node.name)));
    if (node.duration.count() > 0 || is_over(node.phase)) text += fmt::format("  {}", human_duration(node.duration));
    if (node.attempt > 1) text += fmt::format("  try {}", node.attempt);
    if (!node.message.empty()) text += fmt::format("  {}", printable(node.message, 400));
    text = cut(text, size.width - 1);
    out += colour == Colour::yes ? fmt::format("{}{}\x1b[0m\n", mark.colour, text) : text + "\n";
  }
  if (nodes.size() > size.height) out += cut(summary_of(nodes, shown), size.width - 1) + "\n";
  return out;
}

std::unique_ptr<workflow::Watcher> make_watcher() {
  if (log::form() == log::Form::terminal) return std::make_unique<PictureWatcher>();
  return std::make_unique<LineWatcher>();
}

}  // namespace run_step
