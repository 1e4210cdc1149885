#include "oci/store.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/semver.hpp"
#include "oci/layout_store.hpp"
#include "oci/manifest.hpp"
#include "oci/registry_store.hpp"

namespace capsule::oci {

std::unique_ptr<Source> Store::open_blob_part(const Descriptor& descriptor, std::uint64_t offset) {
  auto whole = open_blob(descriptor);
  Bytes known(std::size_t{64} << 10U);
  while (offset != 0) {
    const auto room = static_cast<std::size_t>(std::min<std::uint64_t>(offset, known.size()));
    const auto count = whole->read(MutableBytes{known}.first(room));
    if (count == 0) break;
    offset -= count;
  }
  return whole;
}

void Store::read_blob(const Descriptor& descriptor, Sink& sink) {
  const auto source = open_blob(descriptor);
  Bytes buffer(static_cast<std::size_t>(std::clamp<std::uint64_t>(descriptor.size, 1, 1U << 20U)));
  while (const auto count = source->read(buffer)) sink.write(ByteView{buffer.data(), count});
}

bool Store::put_content(const BlobContent& content) {
  if (holds(content.digest, content.size)) return false;
  const auto source = content.open(0);
  put_blob(content.digest, content.size, *source);
  return true;
}

std::unique_ptr<Store> open_store(const RegistryLocation& registry, std::string_view name, Create create) {
  if (!is_name(name)) {
    throw Error{ErrorKind::invalid_input, fmt::format("'{}' is no capsule's name", printable(name))};
  }
  if (!registry.is_layout()) {
    const auto repository = registry.repository(name);
    return std::make_unique<RegistryStore>(reach(registry, repository), repository, registry.access());
  }
  const auto folder = fs::Path{registry.folder()} / name;
  if (create == Create::yes) LayoutStore::create(folder);
  return std::make_unique<LayoutStore>(folder);
}

std::vector<std::string> repository_names(const RegistryLocation& registry) {
  if (!registry.is_layout()) {
    const auto prefix = registry.repository("");
    return registry_names(reach(registry, prefix), prefix);
  }
  std::vector<std::string> out;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator{registry.folder(), error}) {
    auto name = entry.path().filename().string();
    if (is_name(name) && std::filesystem::exists(entry.path() / "oci-layout")) out.push_back(std::move(name));
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    fs::throw_errno("list", registry.folder(), error.value());
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::string read_text(Store& store, const Descriptor& descriptor, std::size_t limit) {
  if (descriptor.size > limit) {
    throw Error{ErrorKind::invalid_input,
                fmt::format("{} has {} bytes, at most {} are read", descriptor.digest.text(), descriptor.size, limit)};
  }
  StringSink sink{limit};
  store.read_blob(descriptor, sink);
  return sink.take();
}

std::string read_text(Store& store, const Digest& digest, std::size_t limit) {
  const auto size = store.blob_size(digest);
  if (!size) throw Error{ErrorKind::not_found, fmt::format("{} is not there", digest.text())};
  return read_text(store, Descriptor{"application/octet-stream", digest, *size, {}, {}, {}}, limit);
}

std::optional<TaggedManifest> read_tagged(Store& store, std::string_view tag) {
  auto found = store.resolve(tag);
  if (!found) return std::nullopt;
  auto bytes = store.manifest(found->digest);
  if (bytes.size() != found->size) {
    throw Error{ErrorKind::verification_failed, fmt::format("the tag {} is said to name {} bytes, {} are there",
                                                            printable(tag), found->size, bytes.size())};
  }
  parse_manifest(bytes, found->media_type, fmt::format("what the tag {} names", printable(tag)));
  return TaggedManifest{*std::move(found), std::move(bytes)};
}

}  // namespace capsule::oci
