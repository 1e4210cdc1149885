// What OpenSSL leaves open about ECDSA signatures: one encoding only, and a low s.

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>

#include <algorithm>
#include <span>

#include "crypto/openssl.hpp"

namespace capsule::crypto {

namespace {

struct FreeGroup {
  void operator()(EC_GROUP* group) const noexcept { EC_GROUP_free(group); }
};
using GroupPtr = std::unique_ptr<EC_GROUP, FreeGroup>;

GroupPtr make_group(int curve) {
  start_openssl();
  return checked(GroupPtr{EC_GROUP_new_by_curve_name(curve)}, "make a curve");
}

/// n: how many points the curve's base point generates.
const BIGNUM* order_of(KeyType type) {
  static const GroupPtr p256 = make_group(NID_X9_62_prime256v1);
  static const GroupPtr p384 = make_group(NID_secp384r1);
  return EC_GROUP_get0_order(type == KeyType::ecdsa_p256 ? p256.get() : p384.get());
}

bool in_range(const BIGNUM* number, const BIGNUM* order) noexcept {
  return BN_is_negative(number) == 0 && BN_is_zero(number) == 0 && BN_cmp(number, order) < 0;
}

Bytes encode(const ECDSA_SIG* signature) {
  unsigned char* out = nullptr;
  const int size = i2d_ECDSA_SIG(signature, &out);
  if (size <= 0) throw_openssl("encode a signature");
  const BufferPtr<unsigned char> owner{out};
  const auto view = std::as_bytes(std::span{out, static_cast<std::size_t>(size)});
  return {view.begin(), view.end()};
}

bool is_above_half(const BIGNUM* number, const BIGNUM* order) {
  const auto half = checked(NumberPtr{BN_new()}, "make a number");
  check(BN_rshift1(half.get(), order), "halve a number");
  return BN_cmp(number, half.get()) > 0;
}

}  // namespace

SignaturePtr parse_ecdsa(KeyType type, ByteView signature) {
  const auto* cursor = raw(signature);
  SignaturePtr parsed{d2i_ECDSA_SIG(nullptr, &cursor, static_cast<long>(signature.size()))};
  ERR_clear_error();
  // The decoder takes BER, and ignores what follows: only the one DER form comes out as it went in.
  if (!parsed || !std::ranges::equal(encode(parsed.get()), signature)) return nullptr;
  const auto* order = order_of(type);
  const bool good = in_range(ECDSA_SIG_get0_r(parsed.get()), order) && in_range(ECDSA_SIG_get0_s(parsed.get()), order);
  return good ? std::move(parsed) : nullptr;
}

Bytes der_of_r_and_s(KeyType type, ByteView r_and_s) {
  const std::size_t size = type == KeyType::ecdsa_p256 ? 32 : 48;
  if (r_and_s.size() != 2 * size) return {};
  const auto number = [](ByteView bytes) {
    return checked(NumberPtr{BN_bin2bn(raw(bytes), static_cast<int>(bytes.size()), nullptr)}, "make a number");
  };
  auto r = number(r_and_s.first(size));
  auto s = number(r_and_s.subspan(size));
  const auto signature = checked(SignaturePtr{ECDSA_SIG_new()}, "make a signature");
  check(ECDSA_SIG_set0(signature.get(), r.get(), s.get()), "fill a signature");
  (void)r.release();  // ECDSA_SIG_set0 took both
  (void)s.release();
  return encode(signature.get());
}

Bytes with_low_s(KeyType type, ByteView signature) {
  const auto parsed = checked(parse_ecdsa(type, signature), "read its own signature");
  const auto* order = order_of(type);
  const auto* old_s = ECDSA_SIG_get0_s(parsed.get());
  if (!is_above_half(old_s, order)) return {signature.begin(), signature.end()};
  auto r = checked(NumberPtr{BN_dup(ECDSA_SIG_get0_r(parsed.get()))}, "copy a number");
  auto s = checked(NumberPtr{BN_new()}, "make a number");
  check(BN_sub(s.get(), order, old_s), "subtract");
  const auto low = checked(SignaturePtr{ECDSA_SIG_new()}, "make a signature");
  check(ECDSA_SIG_set0(low.get(), r.get(), s.get()), "fill a signature");
  (void)r.release();  // ECDSA_SIG_set0 took both
  (void)s.release();
  return encode(low.get());
}

}  // namespace capsule::crypto
