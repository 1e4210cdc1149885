#include "crypto/token_key.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>

#include "core/error.hpp"
#include "crypto/openssl.hpp"
#include "crypto/pkcs11.hpp"
#include "fs/secret_file.hpp"

namespace capsule::crypto {

namespace {

using Type = Pkcs11Uri::Type;

// DER up to the point of SubjectPublicKeyInfo, and the curve's name as CKA_EC_PARAMS has it.
constexpr std::string_view p256_head = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
constexpr std::string_view p256_name = "06082a8648ce3d030107";
constexpr std::string_view p384_head = "3076301006072a8648ce3d020106052b81040022036200";
constexpr std::string_view p384_name = "06052b81040022";
constexpr std::string_view ed25519_head = "302a300506032b6570032100";
// DigestInfo of a SHA-256 (RFC 8017 §9.2, note 1).
constexpr std::string_view sha256_info = "3031300d060960864801650304020105000420";

std::string shown(const Pkcs11Uri& uri) {
  return printable(uri.text(), 1024);
}

/// A core file would hold the PIN. One byte, not none: a limit of 1 also keeps it from a program that takes core files
/// through a pipe (core(5)).
void forbid_core_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_CORE, &limit) != 0) return;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 1);
  (void)::setrlimit(RLIMIT_CORE, &limit);
}

std::optional<Secret> pin_for(const Pkcs11Uri& uri, const std::optional<Secret>& given) {
  forbid_core_files();
  return uri.pin_source.empty() ? given : fs::read_secret_file(uri.pin_source, "the PIN");
}

Bytes joined(std::string_view head, ByteView tail) {
  auto out = from_hex(head);
  out.insert(out.end(), tail.begin(), tail.end());
  return out;
}

/// CKA_EC_POINT is an OCTET STRING around the point; some modules leave that out.
ByteView bare_point(ByteView point, std::size_t size) {
  const bool is_wrapped = point.size() == size + 2 && point[0] == std::byte{4} && point[1] == std::byte(size);
  return is_wrapped ? point.subspan(2) : point;
}

/// DER SubjectPublicKeyInfo from an object's parts; empty where they do not suffice.
Bytes spki_from(const TokenObject& object, const PublicParts& parts) {
  if (object.kind == TokenObject::Kind::rsa && !parts.modulus.empty() && !parts.exponent.empty())
    return rsa_spki(parts.modulus, parts.exponent);
  if (object.kind == TokenObject::Kind::edwards && !parts.point.empty())
    return joined(ed25519_head, bare_point(parts.point, 32));
  if (object.kind == TokenObject::Kind::ec && !parts.point.empty()) {
    const auto curve = to_hex(parts.curve);
    if (curve == p256_name) return joined(p256_head, bare_point(parts.point, 65));
    if (curve == p384_name) return joined(p384_head, bare_point(parts.point, 97));
    return {};
  }
  return parts.info;
}

Pkcs11Uri uri_of(const Pkcs11Uri& token, const TokenObject& object) {
  auto out = token;
  if (!object.label.empty()) out.object = object.label;
  if (!object.id.empty()) out.id = object.id;
  return out;
}

std::string ids_of(const std::vector<TokenObject>& objects) {
  std::vector<std::string> ids;
  ids.reserve(objects.size());
  for (const auto& object : objects) ids.push_back(object.id.empty() ? "(none)" : to_hex(as_bytes(object.id)));
  std::sort(ids.begin(), ids.end());
  return printable(fmt::format("{}", fmt::join(ids, ", ")), 1024);
}

/// The one object of a class that a URI names.
TokenObject find_one(const TokenSession& session, Type type, const Pkcs11Uri& uri) {
  const auto* const half = type == Type::private_key ? "private" : "public";
  const auto found = session.find(type, uri);
  if (found.empty()) {
    throw Error{ErrorKind::not_found, fmt::format("{}: the token has no {} key that fits (capsule-sign list-keys "
                                                  "shows what it has)",
                                                  shown(uri), half)};
  }
  if (found.size() > 1) {
    throw Error{ErrorKind::usage, fmt::format("{}: {} {} keys fit, with the ids {}; name one by id=%XX, or give one of "
                                              "them another id where they are the same",
                                              shown(uri), found.size(), half, ids_of(found))};
  }
  return found.front();
}

PublicKey public_key_of(const TokenSession& session, const TokenObject& object, const Pkcs11Uri& uri) {
  const auto spki = spki_from(object, session.public_parts(object));
  if (spki.empty()) {
    throw Error{ErrorKind::usage, fmt::format("{}: accepted are ECDSA P-256 and P-384, RSA of 2048 to 8192 bits, and "
                                              "Ed25519; this is none, or its public half cannot be read",
                                              shown(uri))};
  }
  return PublicKey::from_der(spki, shown(uri));
}

/// The public half of a private key: its own attributes, else the public key object of the same id.
PublicKey public_half(const TokenSession& session, const TokenObject& key, const Pkcs11Uri& uri) {
  if (const auto spki = spki_from(key, session.public_parts(key)); !spki.empty())
    return PublicKey::from_der(spki, shown(uri));
  Pkcs11Uri beside;
  if (!key.id.empty())
    beside.id = key.id;
  else
    beside.object = key.label;
  return public_key_of(session, find_one(session, Type::public_key, beside), uri);
}

TokenMechanism mechanism_for(KeyType type) noexcept {
  if (type == KeyType::rsa) return TokenMechanism::rsa_pkcs1;
  return type == KeyType::ed25519 ? TokenMechanism::eddsa : TokenMechanism::ecdsa;
}

class TokenSigner final : public Signer {
 public:
  TokenSigner(const Pkcs11Uri& uri, std::optional<Secret> pin) : m_uri(uri), m_session(uri) {
    if (!pin && !m_session.has_pin_pad()) {
      throw Error{ErrorKind::usage,
                  fmt::format("{}: the token wants its PIN: add ?pin-source=file:/PATH to the URI, or "
                              "set CAPSULE_PKCS11_PIN",
                              shown(uri))};
    }
    m_session.login(pin);
    m_key = find_one(m_session, Type::private_key, uri);
    m_public.emplace(public_half(m_session, m_key, uri));
    if (m_session.wants_pin_each_time(m_key)) m_pin = std::move(pin);
  }

  [[nodiscard]] PublicKey public_key() const override { return *m_public; }

  [[nodiscard]] Bytes sign(const Message& message) const override {
    const auto type = m_public->type();
    if (message.sha256() && !signs_digests(type)) {
      throw std::logic_error{fmt::format("a key of type {} cannot sign a digest", name_of(type))};
    }
    auto signature = raw_signature(type, message);
    if (type == KeyType::ecdsa_p256 || type == KeyType::ecdsa_p384) {
      signature = der_of_r_and_s(type, signature);
      if (parse_ecdsa(type, signature)) signature = with_low_s(type, signature);
    }
    if (!m_public->verify(message, signature)) {
      throw Error{ErrorKind::verification_failed,
                  fmt::format("{}: what the token signed does not verify with its public key; nothing is written",
                              shown(m_uri))};
    }
    return signature;
  }

 private:
  [[nodiscard]] Bytes raw_signature(KeyType type, const Message& message) const {
    const auto data = type == KeyType::ed25519 ? Bytes{message.bytes().begin(), message.bytes().end()}
                      : type == KeyType::rsa   ? joined(sha256_info, hash_of(message))
                                               : hash_of(message);
    return m_session.sign(m_key, mechanism_for(type), data, m_pin);
  }

  Pkcs11Uri m_uri;
  TokenSession m_session;
  TokenObject m_key;
  std::optional<PublicKey> m_public;
  std::optional<Secret> m_pin;
};

void require_type(const Pkcs11Uri& uri, Type type, std::string_view word) {
  if (!uri.type || *uri.type == type) return;
  throw Error{ErrorKind::usage, fmt::format("{}: the {} key is wanted here", shown(uri), word)};
}

std::optional<KeyType> type_of(const TokenSession& session, const TokenObject& object) {
  try {
    return public_key_of(session, object, session.token()).type();
  } catch (const Error&) {
    return std::nullopt;
  }
}

void add_half(TokenKeys& out, const TokenSession& session, const TokenObject& object) {
  auto uri = uri_of(session.token(), object);
  const auto same = [&](const TokenKey& key) { return key.uri.text() == uri.text(); };
  auto at = std::find_if(out.keys.begin(), out.keys.end(), same);
  const bool is_taken = at != out.keys.end() && (object.is_private ? at->has_private : at->has_public);
  if (at == out.keys.end() || is_taken)
    at = out.keys.insert(out.keys.end(), TokenKey{std::move(uri), {}, false, false});
  (object.is_private ? at->has_private : at->has_public) = true;
  if (!at->type) at->type = type_of(session, object);
}

}  // namespace

std::unique_ptr<Signer> open_token_signer(const std::string& text, const std::optional<Secret>& pin) {
  const auto uri = Pkcs11Uri::parse(text);
  require_type(uri, Type::private_key, "private");
  return std::make_unique<TokenSigner>(uri, pin_for(uri, pin));
}

PublicKey read_token_key(const std::string& text) {
  const auto uri = Pkcs11Uri::parse(text);
  require_type(uri, Type::public_key, "public");
  TokenSession session{uri};
  if (session.find(Type::public_key, uri).empty() && !uri.pin_source.empty()) session.login(pin_for(uri, {}));
  return public_key_of(session, find_one(session, Type::public_key, uri), uri);
}

TokenKeys list_token_keys(const std::string& text, const std::optional<Secret>& pin) {
  const auto uri = Pkcs11Uri::parse(text);
  TokenSession session{uri};
  TokenKeys out{session.token(), false, {}};
  if (const auto secret = pin_for(uri, pin)) {
    session.login(secret);
    out.logged_in = true;
  }
  for (const auto type : {Type::public_key, Type::private_key}) {
    if (uri.type && *uri.type != type) continue;
    for (const auto& object : session.find(type, uri)) add_half(out, session, object);
  }
  return out;
}

}  // namespace capsule::crypto
