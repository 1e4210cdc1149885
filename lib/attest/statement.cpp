#include "attest/statement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "attest/bundle.hpp"
#include "core/error.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace capsule::attest {

namespace {

constexpr std::string_view statement_type = "https://in-toto.io/Statement/v1";
constexpr std::string_view document_name = "the statement";
constexpr std::size_t max_subjects = 64;

json::Value to_json(const Subject& subject) {
  json::Object out;
  if (!subject.name.empty()) out.set("name", subject.name);
  out.set("digest", json::Object{{std::string{subject.digest.algorithm()}, subject.digest.hex()}});
  return out;
}

json::Value to_json(const Statement& statement) {
  json::Array subjects;
  for (const auto& subject : statement.subjects) subjects.push_back(to_json(subject));
  return json::Object{{"_type", statement_type},
                      {"subject", std::move(subjects)},
                      {"predicateType", statement.predicate_type},
                      {"predicate", statement.predicate}};
}

Digest read_digest(const json::Cursor& document) {
  const auto members = document.members();
  if (members.size() != 1) document.fail("one digest is wanted");
  const auto& [algorithm, value] = members.front();
  try {
    return Digest::parse(algorithm + ":" + value.string());
  } catch (const Error& error) {
    document.fail(error.message());
  }
}

Subject read_subject(const json::Cursor& document) {
  document.allow_only({"name", "digest"});
  const auto name = document.optional("name");
  return {name ? name->string() : std::string{}, read_digest(document.at("digest"))};
}

std::vector<Subject> read_subjects(const json::Cursor& document) {
  const auto elements = document.elements();
  if (elements.empty() || elements.size() > max_subjects) {
    document.fail(fmt::format("1 to {} subjects are wanted", max_subjects));
  }
  std::vector<Subject> subjects;
  std::set<std::string> names;
  for (const auto& element : elements) {
    subjects.push_back(read_subject(element));
    const auto& name = subjects.back().name;
    if (!name.empty() && !names.insert(name).second) element.fail("a subject of this name is there already");
  }
  return subjects;
}

void require_about(const Statement& statement, const Digest& digest) {
  if (statement.is_about(digest)) return;
  throw Error{ErrorKind::verification_failed, fmt::format("the signed statement is about {}, not about {}",
                                                          statement.subjects.front().digest.text(), digest.text())};
}

}  // namespace

const Digest& Statement::subject(std::string_view name) const {
  const auto found = std::find_if(subjects.begin(), subjects.end(), [&](const auto& s) { return s.name == name; });
  if (found == subjects.end()) {
    throw Error{ErrorKind::verification_failed, fmt::format("the signed statement names no subject '{}'", name)};
  }
  return found->digest;
}

bool Statement::is_about(const Digest& digest) const noexcept {
  return std::any_of(subjects.begin(), subjects.end(), [&](const auto& s) { return s.digest == digest; });
}

std::string sign_statement(const Statement& statement, const crypto::Signer& signer) {
  auto envelope = sign_envelope(std::string{statement_payload_type}, json::canonical(to_json(statement)), signer);
  return Bundle{signer.public_key().id(), std::move(envelope)}.text();
}

Statement read_statement(const Envelope& envelope, std::string_view predicate_type) {
  if (envelope.payload_type != statement_payload_type) {
    throw Error{ErrorKind::verification_failed, fmt::format("the envelope's payload is '{}', not an in-toto statement",
                                                            printable(envelope.payload_type))};
  }
  const auto value = json::parse(envelope.payload, document_name, {.bytes = max_bundle_bytes, .depth = 64});
  const json::Cursor top{value, std::string{document_name}};
  if (top.at("_type").string() != statement_type) top.at("_type").fail("not an in-toto Statement v1");
  top.allow_only({"_type", "subject", "predicateType", "predicate"});
  const auto& type = top.at("predicateType").string();
  if (type != predicate_type) {
    throw Error{ErrorKind::verification_failed,
                fmt::format("the signed statement is of type '{}', wanted is '{}'", printable(type), predicate_type)};
  }
  const auto predicate = top.optional("predicate");
  return {read_subjects(top.at("subject")), type, predicate ? predicate->value() : json::Value{json::Object{}}};
}

Statement verify_statement(std::string_view text, std::span<const crypto::PublicKey> keys,
                           std::string_view predicate_type) {
  const auto bundle = Bundle::parse(text, "the bundle");
  (void)verify_envelope(bundle, keys);
  return read_statement(std::get<Envelope>(bundle.content), predicate_type);
}

Statement verify_statement_about(const Digest& digest, std::string_view bundle, std::span<const crypto::PublicKey> keys,
                                 std::string_view predicate_type) {
  auto statement = verify_statement(bundle, keys, predicate_type);
  require_about(statement, digest);
  return statement;
}

}  // namespace capsule::attest
