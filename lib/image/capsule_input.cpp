#include "image/capsule_input.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "attest/statement.hpp"
#include "core/error.hpp"
#include "oci/media_types.hpp"

namespace capsule::image {

namespace {

/// A piece of another source.
class Part final : public Source {
 public:
  Part(std::unique_ptr<Source> whole, std::uint64_t size) : m_whole(std::move(whole)), m_rest(size) {}
  std::size_t read(MutableBytes buffer) override {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(m_rest, buffer.size()));
    const auto count = m_whole->read(buffer.first(wanted));
    m_rest -= count;
    return count;
  }
  std::unique_ptr<Source> whole() && { return std::move(m_whole); }

 private:
  std::unique_ptr<Source> m_whole;
  std::uint64_t m_rest;
};

class FileInput final : public CapsuleInput {
 public:
  FileInput(fs::Path path, std::optional<Digest> named) : m_path(std::move(path)), m_named(std::move(named)) {}

  std::unique_ptr<Source> open() override { return std::make_unique<fs::FileSource>(m_path); }

  std::unique_ptr<Source> open_part(std::uint64_t offset, std::uint64_t size) override {
    auto file = std::make_unique<fs::FileSource>(m_path);
    if (::lseek(file->fd(), static_cast<off_t>(offset), SEEK_SET) < 0) fs::throw_errno("read", m_path, errno);
    return std::make_unique<Part>(std::move(file), size);
  }

  std::uint64_t size() const override { return fs::FileSource{m_path}.size(); }

  std::optional<std::string> sibling(std::string_view suffix) override {
    auto path = m_path;
    path += suffix;
    if (!std::filesystem::exists(path)) return std::nullopt;
    return fs::read_file(path, max_sibling_bytes);
  }

  void check(const VerifiedCapsule& capsule) const override {
    if (!m_named || capsule.package_digest() == *m_named) return;
    throw Error{ErrorKind::verification_failed, fmt::format("the store holds {} under the name of {}",
                                                            capsule.package_digest().text(), m_named->text())};
  }

 private:
  fs::Path m_path;
  std::optional<Digest> m_named;
};

class PublishedInput final : public CapsuleInput {
 public:
  PublishedInput(oci::Store& store, PublishedPackage published) : m_store(store), m_published(std::move(published)) {}
  PublishedInput(std::unique_ptr<oci::Store> store, PublishedPackage published)
      : m_owned(std::move(store)), m_store(*m_owned), m_published(std::move(published)) {}

  std::unique_ptr<Source> open() override { return open_package(m_store, m_published); }

  std::unique_ptr<Source> open_part(std::uint64_t offset, std::uint64_t size) override {
    std::uint64_t start = 0;
    for (const auto& layer : m_published.layers) {
      if (start == offset && layer.size == size) return m_store.open_blob(layer);
      start += layer.size;
    }
    Part before{open(), offset};
    NullSink skipped;
    copy(before, skipped);
    return std::make_unique<Part>(std::move(before).whole(), size);
  }

  std::uint64_t size() const override { return m_published.size; }

  std::optional<std::string> sibling(std::string_view suffix) override {
    if (suffix != ".oci.sigstore.json") return std::nullopt;
    for (auto& bundle :
         oci::attached(m_store, m_published.index.digest, oci::media_type::sigstore_bundle, max_sibling_bytes)) {
      const auto type = bundle.annotations.find("dev.sigstore.bundle.predicateType");
      if (type != bundle.annotations.end() && type->second == attest::signature_predicate) return bundle.content;
    }
    return std::nullopt;
  }

  void check(const VerifiedCapsule& capsule) const override { check_same(m_published, capsule); }

 private:
  std::unique_ptr<oci::Store> m_owned;
  oci::Store& m_store;
  PublishedPackage m_published;
};

KeyChooser keys_by(const attest::TrustPolicy& policy) {
  return [&policy](const Manifest& claimed) {
    if (const auto wanted = policy.threshold(attest::Role::capsule, claimed.name); wanted > 1) {
      throw Error{ErrorKind::verification_failed,
                  fmt::format("the trust policy wants {} signatures for {}, a package has one", wanted, claimed.name)};
    }
    return policy.keys(attest::Role::capsule, claimed.name);
  };
}

}  // namespace

std::unique_ptr<CapsuleInput> package_file(fs::Path path) {
  return std::make_unique<FileInput>(std::move(path), std::nullopt);
}

std::unique_ptr<CapsuleInput> published_package(oci::Store& store, PublishedPackage published) {
  return std::make_unique<PublishedInput>(store, std::move(published));
}

std::unique_ptr<CapsuleInput> locate_capsule(std::string_view text, const WorkingStore& store,
                                             std::shared_ptr<const oci::Access> access) {
  if (text.starts_with("sha256:")) {
    const auto digest = as_usage("", [&] { return Digest::parse(text); });
    return std::make_unique<FileInput>(store.find(digest), digest);
  }
  if (!oci::Reference::looks_like(text)) {
    // Not repeated in the message: it can hold credentials.
    if (text.find("://") != std::string_view::npos)
      throw Error{ErrorKind::usage, "that is an address, a file is wanted: capsule-download brings it into the store"};
    return package_file(fs::Path{text});
  }
  const auto reference = oci::Reference::parse(text, std::move(access));
  auto repository = oci::open_store(reference.registry, reference.name);
  auto published = read_published(*repository, reference);
  return std::make_unique<PublishedInput>(std::move(repository), std::move(published));
}

VerifiedCapsule verify_input(CapsuleInput& input, const attest::TrustPolicy& policy, const VerifyOptions& options) {
  const auto package = input.open();
  auto capsule = verify_package(*package, keys_by(policy), options);
  policy.check_revoked(capsule.capsule_digest());
  policy.check_revoked(capsule.package_digest());
  input.check(capsule);
  return capsule;
}

}  // namespace capsule::image
