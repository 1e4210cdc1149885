#include "image/capsule_input.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "attest/statement.hpp"
#include "core/error.hpp"
#include "crypto/hash.hpp"
#include "image/signature_files.hpp"
#include "image/trusted_signatures.hpp"
#include "log/log.hpp"
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

/// Whether a referrer is a signature, or does not say what it is.
bool is_signature(const std::map<std::string, std::string>& annotations) {
  const auto type = annotations.find("dev.sigstore.bundle.predicateType");
  return type == annotations.end() || type->second == attest::signature_predicate;
}

std::unique_ptr<Source> part_of(std::unique_ptr<Source> whole, std::uint64_t offset, std::uint64_t size) {
  Part before{std::move(whole), offset};
  NullSink skipped;
  copy(before, skipped);
  return std::make_unique<Part>(std::move(before).whole(), size);
}

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

  std::vector<SignatureBundle> signatures(std::span<const crypto::PublicKey> keys) override {
    std::vector<std::string> suffixes{std::string{package_bundle_suffix}, std::string{index_bundle_suffix}};
    for (const auto& key : keys) {
      for (const auto kind : {package_bundle_suffix, index_bundle_suffix})
        suffixes.push_back(signer_suffix(key) + std::string{kind});
    }
    // Whoever fills the folder with bundles hides none of a known signer.
    for (auto& other : further_signatures(m_path)) {
      if (std::find(suffixes.begin(), suffixes.end(), other) == suffixes.end()) suffixes.push_back(std::move(other));
    }
    std::vector<SignatureBundle> out;
    for (const auto& suffix : suffixes) {
      auto path = m_path;
      path += suffix;
      std::error_code error;
      if (out.size() == max_signature_bundles || !std::filesystem::exists(path, error)) continue;
      out.push_back({printable(path.filename().string()), is_about_index(suffix),
                     [path] { return fs::read_file(path, max_signature_bytes); }});
    }
    return out;
  }

  std::string signatures_place() const override {
    return fmt::format("bundles beside it, {}.<16 hex>{}: put them there, or have it signed again",
                       printable(m_path.filename().string()), package_bundle_suffix);
  }

  std::optional<Digest> version_index(const ReadPackage& package) override {
    auto path = m_path;
    path += index_suffix;
    std::error_code error;
    if (!std::filesystem::exists(path, error)) return std::nullopt;
    try {
      const auto text = fs::read_file(path, oci::Store::max_manifest_bytes);
      if (is_index_of(text, package)) return crypto::sha256(text);
    } catch (const Error& failure) {
      if (retry_helps(failure.kind())) throw;
      log::warning("the version index beside the package is none", {{"reason", failure.message()}});
    }
    return std::nullopt;
  }

  std::optional<std::string> hints() override {
    auto path = m_path;
    path += ".oci.json";
    std::error_code error;
    if (!std::filesystem::exists(path, error)) return std::nullopt;
    try {
      return fs::read_file(path, oci::Store::max_manifest_bytes);
    } catch (const Error&) {
      return std::nullopt;  // they only save time
    }
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
      const auto end = start + layer.size;
      if (start == offset && layer.size == size) return m_store.open_blob(layer);
      if (start <= offset && offset + size <= end) return part_of(m_store.open_blob(layer), offset - start, size);
      start = end;
    }
    return part_of(open(), offset, size);
  }

  std::uint64_t size() const override { return m_published.size; }

  std::vector<SignatureBundle> signatures(std::span<const crypto::PublicKey>) override {
    std::vector<SignatureBundle> out;
    for (const auto& referrer : m_store.referrers(m_published.index.digest, oci::media_type::sigstore_bundle)) {
      if (out.size() == max_signature_bundles) break;
      if (!is_signature(referrer.annotations)) continue;  // a proof, which can be large
      out.push_back({referrer.digest.text(), true, [this, referrer] {
                       return oci::read_attached(m_store, referrer, oci::media_type::sigstore_bundle,
                                                 max_signature_bytes)
                           .content;
                     }});
    }
    return out;
  }

  std::string signatures_place() const override {
    return fmt::format("attached to {}: capsule-publish attaches them, also to what is published already",
                       m_published.index.digest.text());
  }

  /// That it says so is held against the package by check().
  std::optional<Digest> version_index(const ReadPackage&) override { return m_published.index.digest; }

  void check(const VerifiedCapsule& capsule) const override { check_same(m_published, capsule); }

  std::optional<Digest> published_index() const override { return m_published.index.digest; }

 private:
  std::unique_ptr<oci::Store> m_owned;
  oci::Store& m_store;
  PublishedPackage m_published;
};

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
  TrustedSignatures judge{input, policy};
  auto capsule = verify_package(*package, judge, options);
  policy.check_revoked(capsule.capsule_digest());
  policy.check_revoked(capsule.package_digest());
  if (const auto index = input.published_index()) policy.check_revoked(*index);
  input.check(capsule);
  return capsule;
}

}  // namespace capsule::image
