#pragma once

#include <functional>
#include <memory>

#include "http/client.hpp"
#include "http/retry.hpp"
#include "oci/descriptor.hpp"

namespace capsule::oci {

struct DownloadSettings {
  http::RetryPolicy retry{};
  http::Timer timer = http::Timer::real();
  bool check_digest = true;  ///< false: the caller holds what comes against another digest; the size is checked
  std::uint64_t have = 0;    ///< bytes at the front that are not asked for; then the digest cannot be checked
};

/// Makes a client of its own for one thread; it must not try again by itself.
using MakeClient = std::function<std::unique_ptr<http::Client>()>;

/// Brings the blob at `url` into `sink`, once and in order, hashing what arrives. What is cut is gone on with by a
/// Range; where that is ignored or refused, what is known already is skipped. Another content, more or fewer bytes than
/// `blob` promises are Error verification_failed, at the latest after the last byte: until this returns, nobody may
/// take it for whole. Further errors: not_found, denied, unavailable, timed_out.
void download_blob(http::Client& client, const Url& url, const Descriptor& blob, Sink& sink,
                   const DownloadSettings& settings = {});

/// The same to read from: it arrives in a thread, up to 1 MiB ahead of its reader, so that several can be on their way
/// at once. The end is reported only of a blob that holds.
std::unique_ptr<Source> open_download(const MakeClient& make_client, const Url& url, const Descriptor& blob,
                                      const DownloadSettings& settings = {});

}  // namespace capsule::oci
