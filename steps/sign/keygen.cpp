#include "keygen.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "attest/own_key.hpp"
#include "attest/trust_policy.hpp"
#include "core/error.hpp"
#include "fs/atomic_file.hpp"
#include "fs/lock.hpp"

namespace sign {

using capsule::Error;
using capsule::ErrorKind;
using capsule::printable;
using capsule::Secret;
using capsule::attest::Role;
using capsule::attest::TrustPolicy;
using capsule::crypto::KeyType;
using capsule::crypto::PublicKey;
using capsule::fs::AtomicFile;
using capsule::fs::Path;

namespace {

constexpr std::array state_roles{Role::capsule, Role::proof, Role::index, Role::log};

bool is_there(const Path& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

void write_new(const Path& path, std::string_view text, mode_t mode) {
  AtomicFile file{path, mode};
  file.write(capsule::as_bytes(text));
  file.commit(AtomicFile::Overwrite::no);
}

[[noreturn]] void refuse(const Path& path, std::string_view reason) {
  throw Error{ErrorKind::conflict, fmt::format("{}: {}", printable(path.string(), 1024), reason)};
}

/// The public half of the private key that is there.
PublicKey existing_key(const Path& path, std::optional<KeyType> type, const std::optional<Secret>& passphrase) {
  auto key = capsule::crypto::open_signer(path.string(), passphrase)->public_key();
  if (type && key.type() != *type) {
    refuse(path, fmt::format("a key of type {} is there already and is kept, wanted is {}", name_of(key.type()),
                             name_of(*type)));
  }
  return key;
}

PublicKey make_key(const Path& path, KeyType type, const std::optional<Secret>& passphrase) {
  const auto pair = capsule::crypto::generate_key(type, passphrase);
  write_new(path, pair.private_pem.reveal(), 0600);
  return PublicKey::from_pem(pair.public_pem, "a fresh key");
}

void make_folder(const Path& path, std::optional<mode_t> mode) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) capsule::fs::throw_errno("create the folder", path, error.value());
  if (mode && ::chmod(path.c_str(), *mode) != 0) capsule::fs::throw_errno("protect", path, errno);
}

std::string trust_entry(Role role, const Path& public_key) {
  std::string pem = PublicKey::from_file(public_key.string()).to_pem();
  pem.pop_back();
  std::string out = fmt::format("{}:\n  - keys:\n      - |\n        ", name_of(role));
  for (const char c : pem) out += c == '\n' ? "\n        " : std::string{c};
  return out + "\n";
}

std::string trust_text(const std::vector<KeyFiles>& keys) {
  std::string text =
      "# Whom this machine trusts, per role: the keys that capsule-sign keygen made for it. README.md, \"Whom to "
      "trust\",\n"
      "# has the form.\nversion: 1\n";
  for (std::size_t i = 0; i < keys.size(); ++i) text += trust_entry(state_roles.at(i), keys.at(i).public_key);
  return text;
}

std::vector<std::string> untrusted_roles(const TrustPolicy& policy, const std::vector<KeyFiles>& keys) {
  std::vector<std::string> roles;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto& rules = policy.rules();
    const bool trusted = std::any_of(rules.begin(), rules.end(), [&](const auto& rule) {
      return rule.role == state_roles.at(i) && std::any_of(rule.keys.begin(), rule.keys.end(), [&](const auto& entry) {
               return entry.key.id() == keys.at(i).id;
             });
    });
    if (!trusted) roles.emplace_back(name_of(state_roles.at(i)));
  }
  return roles;
}

}  // namespace

KeyFiles key_files_of_prefix(const std::string& prefix) {
  return {prefix + ".pem", prefix + ".pub.pem", {}, true};
}

KeyFiles generate_key_files(const KeyFiles& where, std::optional<KeyType> type,
                            const std::optional<Secret>& passphrase) {
  auto made = where;
  made.is_fresh = !is_there(where.private_key);
  if (made.is_fresh && is_there(where.public_key)) {
    refuse(where.public_key, "a public key is there already and its private key is not; choose another name");
  }
  const auto key = made.is_fresh ? make_key(where.private_key, type.value_or(KeyType::ecdsa_p256), passphrase)
                                 : existing_key(where.private_key, type, passphrase);
  made.id = key.id();
  if (!is_there(where.public_key)) {
    write_new(where.public_key, key.to_pem(), 0644);
  } else if (PublicKey::from_file(where.public_key.string()).id() != key.id()) {
    refuse(where.public_key, fmt::format("is not the public half of {}", where.private_key.string()));
  }
  return made;
}

StateKeys generate_state_keys(const Path& state) {
  make_folder(state / "secrets", 0700);
  const capsule::fs::FileLock lock{state / "secrets/.lock", std::chrono::seconds{30}};
  StateKeys made;
  for (const auto role : state_roles) {
    const auto folder = capsule::attest::own_key_folder(state, role);
    make_folder(folder, 0700);
    const auto type = role == Role::log ? KeyType::ed25519 : KeyType::ecdsa_p256;
    // A key that a person put there is fine, whatever its type; that of a log is always Ed25519.
    const auto wanted = role == Role::log || !is_there(folder / "key.pem") ? std::optional{type} : std::nullopt;
    made.keys.push_back(generate_key_files({folder / "key.pem", folder / "key.pub.pem", {}, true}, wanted, {}));
  }
  const auto folder = state / "configmaps/capsule-trust";
  make_folder(folder, {});
  made.trust = folder / "trust.yaml";
  if (!is_there(made.trust)) write_new(made.trust, trust_text(made.keys), 0644);
  made.untrusted = untrusted_roles(TrustPolicy::from_file(made.trust.string()), made.keys);
  return made;
}

}  // namespace sign
