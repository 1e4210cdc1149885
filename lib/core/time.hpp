#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace capsule {

using Time = std::chrono::sys_time<std::chrono::milliseconds>;

/// How far apart two machines' clocks may be: an expiry counts only after it.
inline constexpr std::chrono::minutes clock_tolerance{5};

/// Now, by the system's clock.
Time now();

/// RFC 3339 in UTC with milliseconds: "2026-11-24T08:45:00.123Z".
std::string format_time(Time time);

/// RFC 3339 (UTC "Z" or an offset, up to nine decimals). Throws Error invalid_input.
Time parse_time(std::string_view text);

/// A duration as Go and Argo write it: "90s", "1h30m", "250ms", or plain seconds "90". Throws Error usage.
std::chrono::milliseconds parse_duration(std::string_view text);

/// "2.3 s", "1 min 4 s", "240 ms": for people.
std::string human_duration(std::chrono::milliseconds duration);

}  // namespace capsule
