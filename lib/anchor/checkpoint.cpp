#include "anchor/checkpoint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/error.hpp"
#include "crypto/hash.hpp"

namespace capsule::anchor {

namespace {

constexpr std::string_view signature_mark = "— ";

[[noreturn]] void refuse(std::string_view reason) {
  throw Error{ErrorKind::verification_failed, fmt::format("the log's checkpoint does not hold: {}", reason)};
}

/// 0x01 (Ed25519) and the 32 key bytes, which end the SubjectPublicKeyInfo (RFC 8410 §4).
Bytes key_material(const crypto::PublicKey& key) {
  if (key.type() != crypto::KeyType::ed25519) {
    throw Error{ErrorKind::usage,
                fmt::format("a log signs with an Ed25519 key, this one is {}", crypto::name_of(key.type()))};
  }
  const auto spki = key.spki();
  Bytes out{std::byte{1}};
  out.insert(out.end(), spki.end() - 32, spki.end());
  return out;
}

/// C2SP signed-note: the first four bytes of SHA-256(name ‖ 0x0A ‖ key material).
Bytes key_hash(std::string_view name, const crypto::PublicKey& key) {
  crypto::Hasher hasher;
  hasher.update(as_bytes(name));
  hasher.update(as_bytes("\n"));
  hasher.update(key_material(key));
  auto bytes = from_hex(hasher.finish().hex());
  bytes.resize(4);
  return bytes;
}

std::string_view take_line(std::string_view& rest) {
  const auto end = rest.find('\n');
  if (end == std::string_view::npos) refuse("a line does not end");
  const auto line = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return line;
}

struct Note {
  std::string_view body;  ///< with its last newline
  std::vector<std::string_view> signatures;
};

Note split(std::string_view note) {
  if (note.size() > max_note_bytes) refuse("it is too large");
  const auto gap = note.find("\n\n");
  if (gap == std::string_view::npos) refuse("it has no signature");
  Note out{note.substr(0, gap + 1), {}};
  auto rest = note.substr(gap + 2);
  while (!rest.empty()) out.signatures.push_back(take_line(rest));
  if (out.signatures.empty()) refuse("it has no signature");
  return out;
}

Bytes decode(std::string_view base64, std::string_view what) {
  try {
    return from_base64(base64);
  } catch (const Error&) {
    refuse(fmt::format("{} is not base64", what));
  }
}

Checkpoint parse_body(std::string_view body) {
  Checkpoint out;
  out.origin = std::string{take_line(body)};
  const auto size = take_line(body);
  const auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), out.size);
  if (error != std::errc{} || end != size.data() + size.size() || (size.size() > 1 && size.front() == '0'))
    refuse("its tree size is no number");
  const auto root = decode(take_line(body), "its root");
  if (root.size() != out.root.size()) refuse("its root has no 32 bytes");
  std::copy(root.begin(), root.end(), out.root.begin());
  return out;
}

std::string body_of(const Checkpoint& checkpoint) {
  return fmt::format("{}\n{}\n{}\n", checkpoint.origin, checkpoint.size, to_base64(checkpoint.root));
}

}  // namespace

bool is_log_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= 200 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '/' || c == '_';
  });
}

std::string sign_checkpoint(const Checkpoint& checkpoint, const crypto::Signer& signer) {
  const auto body = body_of(checkpoint);
  auto line = key_hash(checkpoint.origin, signer.public_key());
  const auto signature = signer.sign(as_bytes(body));
  line.insert(line.end(), signature.begin(), signature.end());
  return fmt::format("{}\n{}{} {}\n", body, signature_mark, checkpoint.origin, to_base64(line));
}

Checkpoint verify_checkpoint(std::string_view text, const crypto::PublicKey& key) {
  const auto note = split(text);
  auto checkpoint = parse_body(note.body);
  const auto prefix = fmt::format("{}{} ", signature_mark, checkpoint.origin);
  const auto hash = key_hash(checkpoint.origin, key);
  for (const auto line : note.signatures) {
    if (!line.starts_with(prefix)) continue;
    const auto bytes = decode(line.substr(prefix.size()), "a signature");
    if (bytes.size() < 4 || !std::equal(hash.begin(), hash.end(), bytes.begin())) continue;
    if (!key.verify(as_bytes(note.body), ByteView{bytes}.subspan(4))) refuse("its signature is wrong");
    return checkpoint;
  }
  refuse(fmt::format("the trusted key of the log '{}' has not signed it", printable(checkpoint.origin)));
}

std::string claimed_origin(std::string_view note) {
  return std::string{take_line(note)};
}

std::string vkey_of(std::string_view name, const crypto::PublicKey& key) {
  return fmt::format("{}+{}+{}", name, to_hex(key_hash(name, key)), to_base64(key_material(key)));
}

}  // namespace capsule::anchor
