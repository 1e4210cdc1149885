#include "kube/user.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/query.hpp"
#include "fs/fd.hpp"
#include "kube/exec_plugin.hpp"
#include "kube/kubeconfig_entry.hpp"

namespace capsule::kube {

namespace {

constexpr std::size_t token_limit = std::size_t{64} << 10U;

std::string trimmed(std::string text) {
  const auto last = text.find_last_not_of(" \t\r\n");
  text.resize(last == std::string::npos ? 0 : last + 1);
  return text.substr(std::min(text.size(), text.find_first_not_of(" \t\r\n")));
}

/// What a kubeconfig itself holds, or files that it names: those are read each time, since tools rotate them.
class UserCredentials final : public CredentialSource {
 public:
  Credentials current() override {
    return with_trace(name, [&] {
      auto out = next ? next->current() : Credentials{};
      if (!token.empty()) out.token = token;
      if (has_certificate()) read_certificate(out);
      return out;
    });
  }
  bool renew() override { return next && token.empty() && next->renew(); }
  [[nodiscard]] bool has_certificate() const { return !certificate.empty() || !certificate_file.empty(); }
  [[nodiscard]] bool has_key() const { return !key.empty() || !key_file.empty(); }

  std::string name;  ///< for messages
  Secret token;
  std::string certificate;
  std::string certificate_file;
  Secret key;
  std::string key_file;
  std::shared_ptr<CredentialSource> next;  ///< a token's file or a plug-in

 private:
  void read_certificate(Credentials& out) const {
    out.certificate = certificate_file.empty() ? certificate : fs::read_file(certificate_file, pem_limit);
    out.key = key_file.empty() ? key : Secret{fs::read_file(key_file, pem_limit)};
    if (out.certificate.find("-----BEGIN CERTIFICATE-----") == std::string::npos)
      throw Error{ErrorKind::usage, "its client-certificate holds no certificate in PEM"};
    if (out.key.reveal().find("PRIVATE KEY-----") == std::string_view::npos)
      throw Error{ErrorKind::usage, "its client-key holds no private key in PEM"};
    if (out.key.reveal().find("ENCRYPTED") != std::string_view::npos) {
      throw Error{ErrorKind::usage,
                  "its client-key is locked with a passphrase, which kubectl takes neither; give it "
                  "one without"};
    }
  }
};

class TokenFile final : public CredentialSource {
 public:
  TokenFile(std::string file, Secret otherwise) : m_file(std::move(file)), m_last(std::move(otherwise)) {}

  Credentials current() override {
    try {
      Secret token{trimmed(fs::read_file(m_file, token_limit))};
      if (token.empty()) throw Error{ErrorKind::denied, fmt::format("the token's file {} is empty", m_file)};
      m_last = std::move(token);
    } catch (const Error&) {
      if (m_last.empty()) throw;  // a file that is just being replaced must not end a long wait
    }
    return {m_last, {}, {}};
  }
  bool renew() override { return true; }

 private:
  std::string m_file;
  Secret m_last;
};

void read_certificate(UserCredentials& out, const json::Cursor& user, const std::string& file) {
  const auto read = [&](const std::string& key, std::string& path) -> std::string {
    if (!text_of(user, key + "-data").empty()) return pem_of(user, key, file);
    if (const auto name = text_of(user, key); !name.empty()) path = beside(file, name);
    return {};
  };
  out.certificate = read("client-certificate", out.certificate_file);
  out.key = Secret{read("client-key", out.key_file)};
  if (out.has_certificate() != out.has_key()) user.fail("client-certificate and client-key belong together");
}

void read_impersonation(Config& out, const json::Cursor& user) {
  const auto as = text_of(user, "as");
  if (!as.empty()) out.impersonation.emplace_back("Impersonate-User", as);
  if (const auto uid = text_of(user, "as-uid"); !uid.empty()) out.impersonation.emplace_back("Impersonate-Uid", uid);
  if (const auto groups = user.optional("as-groups"); groups && !groups->value().is_null()) {
    for (const auto& group : groups->elements()) out.impersonation.emplace_back("Impersonate-Group", group.string());
  }
  if (const auto extra = user.optional("as-user-extra"); extra && !extra->value().is_null()) {
    for (const auto& [key, values] : extra->members()) {
      for (const auto& value : values.elements())
        out.impersonation.emplace_back("Impersonate-Extra-" + query_encoded(key), value.string());
    }
  }
  if (as.empty() && !out.impersonation.empty()) user.fail("as-uid, as-groups and as-user-extra need `as`");
  if (!as.empty()) out.account = fmt::format("'{}', as whom {} speaks", printable(as), out.account);
}

void refuse_what_is_gone(const json::Cursor& user) {
  if (const auto provider = user.optional("auth-provider"); provider && !provider->value().is_null()) {
    provider->fail("kubectl knows auth-provider no longer; use the exec plug-in of your cluster's provider");
  }
  if (!text_of(user, "username").empty() || !text_of(user, "password").empty()) {
    user.fail("Kubernetes knows username and password no longer; use a client certificate, a token or an exec plug-in");
  }
}

}  // namespace

std::shared_ptr<CredentialSource> no_credentials() {
  return std::make_shared<UserCredentials>();
}

std::shared_ptr<CredentialSource> token_file(const std::string& file, Secret otherwise) {
  return std::make_shared<TokenFile>(file, std::move(otherwise));
}

void read_user(Config& out, const Entry& entry, const std::string& name, const Entry& cluster) {
  const json::Cursor user{entry.value, fmt::format("{}, user '{}'", entry.file, printable(name)), ErrorKind::usage};
  refuse_what_is_gone(user);
  auto credentials = std::make_shared<UserCredentials>();
  credentials->name = fmt::format("{}, user '{}'", entry.file, printable(name));
  read_certificate(*credentials, user, entry.file);
  credentials->token = Secret{text_of(user, "token")};
  const auto file = text_of(user, "tokenFile");
  const auto exec = user.optional("exec");
  if (!file.empty()) {
    // What the file holds goes before `token`, which is what counts until it can be read.
    credentials->next = token_file(beside(entry.file, file), std::exchange(credentials->token, {}));
  } else if (exec && !exec->value().is_null()) {
    auto plugin = exec_plugin(*exec, entry.file, cluster);
    // As client-go has it: who has a token or a certificate is not asked for another one.
    if (credentials->token.empty() && !credentials->has_certificate()) credentials->next = std::move(plugin);
  }
  if (!credentials->next || !file.empty()) credentials->current();  // files that are not there are told at once
  out.credentials = std::move(credentials);
  read_impersonation(out, user);
}

}  // namespace capsule::kube
