#pragma once

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace capsule::step {

// Validators of an option's value, whether it is used or not. CLI11 alone reads 010 as octal, 0x10 and 0x1p3.

/// Decimal digits without a leading zero, `lowest` to `highest`.
CLI::Validator whole_number(std::uint64_t lowest, std::uint64_t highest);

/// Decimal digits without a leading zero, and at most one point with digits behind it; `lowest` to `highest`.
CLI::Validator decimal_number(double lowest, double highest);

/// A duration as parse_duration() reads it, 1 ms to 8,760 h (365 days).
CLI::Validator duration();

// Options that are kept as what they mean, so that nobody reads the text again.

/// Adds an option that takes a duration().
CLI::Option* add_duration(CLI::App& app, const std::string& name, std::chrono::milliseconds& into,
                          const std::string& description);

/// The words that an option may say, and what each of them means.
template <typename Meaning, std::size_t count>
using Choices = std::array<std::pair<std::string_view, Meaning>, count>;

/// The word that means that; empty: none does.
template <typename Meaning, std::size_t count>
std::string word_for(const Choices<Meaning, count>& choices, const Meaning& meaning) {
  const auto found =
      std::find_if(choices.begin(), choices.end(), [&](const auto& choice) { return choice.second == meaning; });
  return found == choices.end() ? std::string{} : std::string{found->first};
}

/// Adds an option that takes one of these words.
template <typename Meaning, std::size_t count>
CLI::Option* add_choice(CLI::App& app, const std::string& name, Meaning& into, const Choices<Meaning, count>& choices,
                        const std::string& description) {
  std::vector<std::string> words;
  std::string type;
  for (const auto& [word, meaning] : choices) {
    words.emplace_back(word);
    type += (type.empty() ? "" : "|") + words.back();
  }
  const auto take = [&into, choices](const std::string& given) {
    for (const auto& [word, meaning] : choices)
      if (word == given) into = meaning;
  };
  return app.add_option_function<std::string>(name, take, description)
      ->default_function([&into, choices] { return word_for(choices, into); })
      ->type_name(type)
      ->check(CLI::IsMember(words));
}

}  // namespace capsule::step
