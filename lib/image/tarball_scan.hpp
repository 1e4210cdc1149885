#pragma once

#include <map>
#include <optional>
#include <string>

#include "archive/decompress.hpp"
#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/stream.hpp"

namespace capsule::image {

struct TarballLimits {
  archive::DecompressLimits decompress;
  std::size_t entries = 1'000'000;
  std::size_t parts = 8192;                        ///< files that could be an image's
  std::size_t text_bytes = std::size_t{4} << 20U;  ///< of JSON that is kept, in all
};

/// A file of a tarball that could be part of an image.
struct TarballPart {
  Digest digest;
  std::uint64_t size = 0;                                         ///< bytes
  archive::Compression compression = archive::Compression::none;  ///< of a layer
  std::optional<Digest> diff_id;                                  ///< of a layer: digest of its tar
  std::optional<std::string> text;                                ///< of a small JSON document
  std::optional<Error> unfit_for_layer;                           ///< why it cannot be a layer
};

/// What one pass over capsule.tarball shows, whatever it is: nothing of it is judged yet.
struct TarballScan {
  archive::Compression compression = archive::Compression::none;
  std::optional<Digest> digest;  ///< of the file
  std::uint64_t size = 0;        ///< bytes
  std::optional<Digest> tar_digest;
  std::uint64_t tar_size = 0;
  std::map<std::string, TarballPart> parts;  ///< by path
  std::map<std::string, std::string> links;  ///< path → path in the tarball, of links to parts
  bool too_many_parts = false;               ///< some are missing in `parts`, or their text
  std::optional<Error> unfit_for_files;      ///< why it cannot be a file system
  std::optional<Error> unfit_for_parts;      ///< why it cannot be an image in parts

  /// The part at `path`, through at most 8 links; null where there is none.
  [[nodiscard]] const TarballPart* find(std::string path) const;
  /// The path at which that part stands.
  [[nodiscard]] std::string follow(std::string path) const;
};

/// Streams; memory does not grow with the tarball, but for the names in one layer (file_tree.hpp). Error invalid_input
/// for what is no tar, cut, or beyond the limits.
TarballScan scan_tarball(Source& tarball, const TarballLimits& limits = {});

}  // namespace capsule::image
