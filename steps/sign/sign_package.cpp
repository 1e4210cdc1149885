#include "sign_package.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <array>
#include <optional>

#include "attest/bundle.hpp"
#include "attest/statement.hpp"
#include "capsule/canonical_package.hpp"
#include "core/error.hpp"
#include "fs/atomic_file.hpp"
#include "fs/direct_sink.hpp"
#include "fs/lock.hpp"
#include "image/checked_form.hpp"
#include "image/signature_files.hpp"
#include "json/write.hpp"
#include "log/log.hpp"
#include "oci/media_types.hpp"

namespace sign {

using capsule::Bytes;
using capsule::ByteView;
using capsule::CheckedPackage;
using capsule::Digest;
using capsule::Error;
using capsule::ErrorKind;
using capsule::PackageHead;
using capsule::crypto::PublicKey;
using capsule::crypto::Signer;
using capsule::fs::Path;
using capsule::image::PublishedForm;
namespace attest = capsule::attest;
namespace fs = capsule::fs;
namespace image = capsule::image;
namespace json = capsule::json;

namespace {

constexpr std::chrono::seconds lock_patience{60};
constexpr std::size_t max_sibling_bytes = std::size_t{4} << 20U;

bool is_signed_by(const PackageHead& head, const PublicKey& key) {
  return head.signature && key.verify(capsule::as_bytes(head.checksums_text), *head.signature);
}

/// One read of the package: what it is, and its form in a registry.
struct Pass {
  CheckedPackage checked;
  std::optional<PublishedForm> form;  ///< of a canonical package
};

Pass read_package(const Path& package, capsule::CheckOptions options, capsule::log::Progress& progress) {
  fs::FileSource source{package};
  options.progress = &progress;
  progress.begin("signing", source.size());
  auto [checked, facts] = image::check_form(source, options);
  progress.end();
  if (!facts) return {std::move(checked), std::nullopt};
  return {std::move(checked), image::published_form(*facts)};
}

mode_t mode_of(const Path& package) {
  struct stat status {};
  if (::stat(package.c_str(), &status) != 0) fs::throw_errno("look at", package, errno);
  return status.st_mode & 0777U;
}

PackageHead head_of(const Path& package) {
  fs::FileSource source{package};
  return capsule::read_package_head(source);
}

/// Reads a package that is signed with this key already.
Pass keep_signature(const Path& package, const PublicKey& key, capsule::log::Progress& progress) {
  auto pass = read_package(package, {}, progress);
  if (!is_signed_by(pass.checked.head, key)) {
    throw Error{ErrorKind::verification_failed, "the package changed while it was read"};
  }
  return pass;
}

/// Reads a package and replaces it by one with the signature, unless it is not canonical.
Pass add_signature(const Path& package, const Signer& signer, capsule::log::Progress& progress) {
  fs::AtomicFile output{package, mode_of(package)};
  capsule::CheckOptions options;
  options.sign = [&](const PackageHead& head) { return signer.sign(capsule::as_bytes(head.checksums_text)); };
  options.output = &output;
  std::optional<fs::DirectSink> direct;
  if (std::filesystem::file_size(package) >= fs::DirectSink::worthwhile_bytes) options.output = &direct.emplace(output);
  auto pass = read_package(package, options, progress);
  if (direct) direct->finish();
  if (pass.checked.canonical) output.commit();
  return pass;
}

void make_canonical(const Path& package, const Digest& capsule_digest, capsule::log::Progress& progress) {
  fs::FileSource source{package};
  capsule::write_canonical(source, capsule_digest, package, {.progress = &progress});
}

std::optional<std::string> read_sibling(const Path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return std::nullopt;
  return fs::read_file(path, max_sibling_bytes);
}

/// Writes a file beside the package unless the one that is there is good (`is_good` may throw to say why not).
/// Returns whether it wrote.
template <typename IsGood, typename Make>
bool ensure_sibling(const Path& package, std::string_view suffix, const IsGood& is_good, const Make& make) {
  const Path path = package.string() + std::string{suffix};
  std::string fault;
  try {
    if (const auto text = read_sibling(path); text && is_good(*text)) return false;
  } catch (const Error& error) {
    fault = error.message();
  }
  fs::write_file(path, make());
  if (!fault.empty()) capsule::log::info(fmt::format("{} is replaced: {}", path.string(), fault));
  return true;
}

std::string hints_of(const CheckedPackage& checked, const PublishedForm& form) {
  json::Array segments;  // one after the other they are the package
  json::Array diff_ids;
  for (const auto& segment : checked.segments) {
    diff_ids.emplace_back(segment.diff_id.value().text());
    segments.emplace_back(json::Object{{"mediaType", capsule::oci::media_type::layer_gzip},
                                       {"digest", segment.digest.value().text()},
                                       {"size", segment.size}});
  }
  return json::pretty(json::Object{{"name", checked.head.manifest.name},
                                   {"version", checked.head.manifest.version},
                                   {"capsule_digest", checked.capsule_digest.text()},
                                   {"package_digest", checked.package_digest.text()},
                                   {"index", form.index.descriptor.to_json()},
                                   {"package_manifest", form.package_manifest.descriptor.to_json()},
                                   {"image_manifest", form.image_manifest.descriptor.to_json()},
                                   {"segments", std::move(segments)},
                                   {"diff_ids", std::move(diff_ids)}});
}

void write_siblings(const Path& package, const Pass& pass, const Signer& signer, SignedPackage& result) {
  const std::array keys{signer.public_key()};
  const auto& manifest = result.manifest;
  const auto whose = result.is_further ? image::signer_suffix(keys.front()) : std::string{};
  result.bundle_written = ensure_sibling(
      package, whose + std::string{image::package_bundle_suffix},
      [&](const std::string& text) {
        (void)attest::verify_file(text, keys, result.package_digest);
        return true;
      },
      [&] { return attest::sign_file(result.package_digest, package_file_name(manifest), signer); });
  result.index_bundle_written = ensure_sibling(
      package, whose + std::string{image::index_bundle_suffix},
      [&](const std::string& text) {
        (void)attest::verify_statement_about(result.index_digest, text, keys, attest::signature_predicate);
        return true;
      },
      [&] {
        return attest::sign_statement({{{fmt::format("{}:{}", manifest.name, manifest.version), result.index_digest}},
                                       std::string{attest::signature_predicate},
                                       json::Object{}},
                                      signer);
      });
  const auto hints = hints_of(pass.checked, *pass.form);
  result.hints_written = ensure_sibling(
      package, ".oci.json", [&](const std::string& text) { return text == hints; },
      [&]() -> const std::string& { return hints; });
}

/// Whether the first bundle beside the package names this key: then signature.sig is its place.
bool was_first(const Path& package, const PublicKey& key) {
  try {
    const auto text = read_sibling(package.string() + std::string{image::package_bundle_suffix});
    return text && attest::Bundle::parse(*text, "the bundle").hint == key.id();
  } catch (const Error&) {
    return false;  // made again, if it is ours to make
  }
}

enum class Place { ours, free, anothers };

/// Whose signature.sig is. Another's cannot be judged here, and is not touched.
Place place_of(const Path& package, const PublicKey& key, Others others) {
  const auto head = head_of(package);
  if (is_signed_by(head, key)) return Place::ours;
  const bool is_signed = head.signature && !head.signature->empty();
  return is_signed && others == Others::keep && !was_first(package, key) ? Place::anothers : Place::free;
}

}  // namespace

SignedPackage sign_package(const Path& named, const Signer& signer, capsule::log::Progress& progress, Others others) {
  const auto key = signer.public_key();
  std::error_code error;
  const auto package = std::filesystem::canonical(named, error);  // a link stays, the file that it names is replaced
  if (error) fs::throw_errno("open", named, error.value());
  // Two signatures of one key differ: without the lock one process could leave its package, another its bundles.
  const fs::FileLock lock{package.parent_path(), lock_patience};
  const auto place = place_of(package, key, others);
  const auto read = [&](bool& written) {
    if (place == Place::anothers) return read_package(package, {}, progress);
    written = !is_signed_by(head_of(package), key);
    return written ? add_signature(package, signer, progress) : keep_signature(package, key, progress);
  };
  bool written = false;
  bool rewritten = false;
  auto pass = read(written);
  if (!pass.checked.canonical) {
    make_canonical(package, pass.checked.capsule_digest, progress);
    rewritten = true;
    pass = read(written);
    capsule::log::info("the package was made by another tool: it is written in its canonical form");
  }
  if (!pass.form) throw std::logic_error{"a package that was written canonically is not canonical"};
  SignedPackage result{pass.checked.head.manifest,         pass.checked.capsule_digest, pass.checked.package_digest,
                       pass.form->index.descriptor.digest, place == Place::anothers,    written || rewritten};
  write_siblings(package, pass, signer, result);
  if (written && !image::further_signatures(package).empty())
    capsule::log::warning("signature.sig is new: what other signers left beside the package is about the one before");
  return result;
}

}  // namespace sign
