#include "index_source.hpp"

#include "attest/trust_policy.hpp"
#include "crypto/pkcs11_uri.hpp"
#include "resolve/resolve.hpp"

namespace download {

using namespace capsule;

namespace {

/// Which head it was: by the state folder it is checked already, and who has another memory of heads is told.
class HeadFound final : public index::HeadsElsewhere {
 public:
  std::optional<index::HeadId> of(const std::string&, const std::string&) override { return std::nullopt; }
  void saw(const std::string&, const std::string&, const index::HeadId& now) override { m_digest = now.digest; }
  [[nodiscard]] std::string where() const override { return {}; }
  [[nodiscard]] const std::optional<Digest>& digest() const noexcept { return m_digest; }

 private:
  std::optional<Digest> m_digest;
};

}  // namespace

Resolved resolve_uri(const index::CapsuleUri& uri, const Options& options, log::Progress& progress) {
  const auto trust = attest::find_trust(options.trust, crypto::with_module(options.key, options.pkcs11_module),
                                        options.state.string());
  HeadFound head;
  const auto answer =
      resolve::resolve({uri, options.registry, options.registries.access(), trust, options.state, progress, &head});
  return {answer.reference(), answer.found.record.package_digest, {answer.registry, uri.name, {}, head.digest()}};
}

}  // namespace download
