#include "capsule/pack.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>

#include "archive/pipeline.hpp"
#include "capsule/checked_package.hpp"
#include "capsule/folder_files.hpp"
#include "capsule/head.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "fs/atomic_file.hpp"
#include "fs/beneath.hpp"
#include "fs/walk.hpp"

namespace capsule {

namespace {

constexpr std::size_t max_manifest_bytes = std::size_t{4} << 20U;

struct Folder {
  PackageContent content;
  Manifest manifest;
  std::vector<std::string> skipped;
  std::uint64_t bytes = 0;
};

void check_limits(const Folder& folder, const PackageLimits& limits) {
  if (folder.bytes > limits.total_bytes) {
    throw Error{ErrorKind::invalid_input, fmt::format("the folder holds {}, the limit of a package is {}",
                                                      human_size(folder.bytes), human_size(limits.total_bytes))};
  }
  const auto& files = folder.content.files;
  const auto is_entrypoint = [&](const auto& file) { return file.path.text() == folder.manifest.entrypoint; };
  if (std::none_of(files.begin(), files.end(), is_entrypoint)) {
    throw Error{ErrorKind::invalid_input, fmt::format("capsule.json: the entrypoint {} is not in the folder",
                                                      printable(folder.manifest.entrypoint))};
  }
}

Folder read_folder(const PackRequest& request) {
  auto walk = fs::walk(request.folder, request.limits.entries);
  Folder out;
  out.skipped = std::move(walk.skipped);
  bool has_manifest = false;
  for (auto& file : walk.files) {
    const auto& path = file.path.text();
    if (path == head::signature || path == head::checksums) {
      out.skipped.push_back(path);  // of a package that was unpacked here: made anew by pack and sign
    } else if (path == head::manifest) {
      has_manifest = true;
    } else {
      out.bytes += file.size;
      out.content.files.push_back({std::move(file.path), file.size});
    }
  }
  if (!has_manifest) {
    throw Error{ErrorKind::not_found, fmt::format("there is no capsule.json in {}: is that the folder of a capsule?",
                                                  printable(request.folder.string(), 1024))};
  }
  out.content.manifest_text = fs::read_file(request.folder / head::manifest, max_manifest_bytes);
  out.manifest = parse_manifest(out.content.manifest_text);
  check_limits(out, request.limits);
  return out;
}

fs::Path package_path(const PackRequest& request, const Manifest& manifest) {
  fs::Path out{request.out};
  std::error_code error;
  if (request.out.ends_with('/')) {
    std::filesystem::create_directories(out, error);
    if (error) fs::throw_errno("create the folder", out, error.value());
  }
  if (std::filesystem::is_directory(out, error)) out /= package_file_name(manifest);
  return out;
}

/// The next pack would take a package inside of the folder for a part of the capsule.
void refuse_inside(const fs::Path& package, const fs::Path& folder) {
  std::error_code error;
  const auto parent = std::filesystem::weakly_canonical(std::filesystem::absolute(package).parent_path(), error);
  const auto root = std::filesystem::weakly_canonical(folder, error);
  const auto [in_root, rest] = std::mismatch(root.begin(), root.end(), parent.begin(), parent.end());
  if (in_root == root.end()) {
    throw Error{ErrorKind::usage, fmt::format("the package must not be written into the folder that is packed ({}): "
                                              "give another --out",
                                              printable(folder.string(), 1024))};
  }
}

Digest hash_file(const fs::Path& folder, const PackageContent::File& file, MutableBytes buffer,
                 log::Progress* progress) {
  const std::vector<PackageContent::File> files{file};
  FolderFiles input{folder, files};
  input.open(0);
  crypto::Hasher hasher;
  for (auto rest = file.size; rest > 0;) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(rest, buffer.size()));
    std::vector<MutableBytes> pieces{buffer.first(count)};
    input.read(pieces);
    hasher.update(buffer.first(count));
    if (progress != nullptr) progress->advance(count);
    rest -= count;
  }
  input.close();
  return hasher.finish();
}

/// Whether the folder's files are those of the list: paths first, then content, on all cores.
bool holds(const ChecksumList& list, const Folder& folder, const PackRequest& request) {
  const auto& files = folder.content.files;
  if (list.lines().size() != files.size() + 1) return false;
  for (const auto& file : files) {
    if (list.find(file.path.text()) == nullptr) return false;
  }
  std::atomic<std::size_t> next = 0;
  std::atomic<bool> same = true;
  std::exception_ptr error;
  std::mutex mutex;
  const auto work = [&] {
    try {
      Bytes buffer(std::size_t{256} << 10U);
      for (auto i = next++; i < files.size() && same; i = next++)
        if (hash_file(request.folder, files[i], buffer, request.progress) != *list.find(files[i].path.text()))
          same = false;
    } catch (...) {
      const std::lock_guard lock{mutex};
      error = std::current_exception();
      same = false;
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < archive::Pipeline::default_workers(); ++i) threads.emplace_back(work);
  work();
  for (auto& thread : threads) thread.join();
  if (error) std::rethrow_exception(error);
  return same;
}

PackageHead read_existing_head(const fs::Path& package, const PackageLimits& limits) {
  try {
    fs::FileSource source{package};
    return read_package_head(source, limits);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::invalid_input && error.kind() != ErrorKind::verification_failed) throw;
    throw Error{ErrorKind::conflict, fmt::format("{} is there already and is no capsule package: remove it, or give "
                                                 "another --out ({})",
                                                 printable(package.string(), 1024), error.message())};
  }
}

/// The package that is there, if it is whole and holds what the folder holds.
std::optional<CheckedPackage> find_existing(const fs::Path& package, const Folder& folder, const PackRequest& request) {
  std::error_code error;
  const auto status = std::filesystem::status(package, error);
  if (!std::filesystem::exists(status)) return std::nullopt;
  if (std::filesystem::is_regular_file(status) && std::filesystem::file_size(package, error) == 0) return std::nullopt;
  const auto head = read_existing_head(package, request.limits);
  if (head.manifest_text != folder.content.manifest_text) return std::nullopt;
  fs::FileSource source{package};
  if (request.progress != nullptr) request.progress->begin("comparing", folder.bytes + source.size());
  if (!holds(head.files, folder, request)) return std::nullopt;
  try {
    CheckOptions options;
    options.limits = request.limits;
    options.progress = request.progress;
    auto checked = check_package(source, options);
    if (request.progress != nullptr) request.progress->end();
    return checked;
  } catch (const Error& damaged) {
    if (damaged.kind() != ErrorKind::invalid_input && damaged.kind() != ErrorKind::verification_failed) throw;
    return std::nullopt;  // written anew
  }
}

PackResult write_new(const fs::Path& package, const Folder& folder, const PackRequest& request) {
  fs::AtomicFile out{package};
  FolderFiles input{request.folder, folder.content.files};
  if (request.progress != nullptr) request.progress->begin("packing", folder.bytes);
  auto written = write_package(out, folder.content, input, {request.compression, request.progress});
  if (request.progress != nullptr) request.progress->end();
  out.commit();
  return {package, folder.manifest, std::move(written.capsule_digest), written.package_size, folder.skipped, false};
}

}  // namespace

PackResult pack_folder(const PackRequest& request) {
  std::error_code ignored;
  if (const auto status = std::filesystem::status(request.folder, ignored); exists(status) && !is_directory(status)) {
    throw Error{ErrorKind::invalid_input, fmt::format("{} is no folder: give the one in which capsule.json lies",
                                                      printable(request.folder.string(), 1024))};
  }
  const auto folder = read_folder(request);
  const auto package = package_path(request, folder.manifest);
  refuse_inside(package, request.folder);
  if (const auto existing = find_existing(package, folder, request)) {
    return {package, folder.manifest, existing->capsule_digest, existing->package_size, folder.skipped, true};
  }
  return write_new(package, folder, request);
}

}  // namespace capsule
