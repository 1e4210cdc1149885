#include "cluster/object_form.hpp"

#include <catch2/catch.hpp>

#include "cluster/names.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

using namespace capsule;
using namespace capsule::cluster;

namespace {

json::Value crd(const std::string& spec, const std::string& more = {}) {
  return json::parse(R"({"spec":{"versions":[{"name":"v1","schema":{"openAPIV3Schema":{"properties":{"spec":)" + spec +
                         "}}}" + more + "}]}}",
                     "crd");
}

/// As the platform has it: members that nobody knows before the first proof, no spec.capsule, no status.
const json::Value platforms = crd(R"({"required":["template","proofPolicy","utidBinding"],"properties":{
      "template":{"type":"object","x-kubernetes-preserve-unknown-fields":true},
      "prewarm":{"type":"boolean"},
      "utidBinding":{"type":"object","required":["type"],"properties":{"type":{"type":"string","enum":["hardware-bound","soft"]}}},
      "proofPolicy":{"type":"object","required":["utid","proofHash","proofScore"],"properties":{"required":{"type":"boolean"},
        "utid":{"type":"string"},"proofHash":{"type":"string"},"proofScore":{"type":"number"}}}}})");

json::Object wanted() {
  return *json::parse(
              R"({"metadata":{"name":"x"},"spec":{"capsule":{"digest":"d"},"prewarm":true,"proofPolicy":{"required":true}}})",
              "object")
              .if_object();
}

std::string at(const json::Value& value, const std::string& pointer) {
  const auto* found = value.at_pointer(pointer);
  return found == nullptr ? "nothing" : json::compact(*found);
}

}  // namespace

TEST_CASE("our own CRD keeps an object as it is") {
  CHECK(ObjectForm{}.applied(wanted(), nullptr) == wanted());
  const auto ours =
      crd(R"({"properties":{"capsule":{},"prewarm":{},"proofPolicy":{}}})", R"(,"subresources":{"status":{}})");
  CHECK(ObjectForm::of(ours).applied(wanted(), nullptr) == wanted());
  CHECK(ObjectForm::of(json::Object{}).status() == ObjectForm::Status::subresource);
  CHECK(ObjectForm::is_our_own(json::Value{wanted()}));
  CHECK(whole(json::Value{wanted()}) == json::Value{wanted()});
}

TEST_CASE("what another CRD does not keep stands in annotations, and what it wants is pending") {
  const auto form = ObjectForm::of(platforms);
  CHECK(form.status() == ObjectForm::Status::annotation);
  const json::Value sent{form.applied(wanted(), nullptr)};
  CHECK(at(sent, "/spec/capsule") == "nothing");
  CHECK(at(sent, "/spec/template") == "{}");
  CHECK(at(sent, "/spec/utidBinding/type") == R"("soft")");
  CHECK(at(sent, "/spec/proofPolicy") == R"({"required":true,"utid":"pending","proofHash":"pending","proofScore":0})");
  const auto read = whole(sent);
  CHECK(at(read, "/spec/capsule/digest") == R"("d")");
  CHECK_FALSE(ObjectForm::is_our_own(read));
  CHECK(stored(*read.if_object()) == *sent.if_object());
}

TEST_CASE("what another manager has said instead of pending is his") {
  const auto form = ObjectForm::of(platforms);
  const auto there = json::parse(R"({"spec":{"proofPolicy":{"utid":"UTID:1","proofHash":"pending"}}})", "there");
  const json::Value sent{form.applied(wanted(), &there)};
  CHECK(at(sent, "/spec/proofPolicy/utid") == "nothing");
  CHECK(at(sent, "/spec/proofPolicy/proofHash") == R"("pending")");
}

TEST_CASE("a status is where the CRD has it") {
  const std::string spec = R"({"properties":{}})";
  const auto with = [&](const std::string& status, const std::string& more) {
    auto value = crd(spec, more);
    auto* versions = value.if_object()->find("spec")->if_object()->find("versions")->if_array();
    auto* schema = versions->front().if_object()->find("schema")->if_object()->find("openAPIV3Schema")->if_object();
    schema->find("properties")->if_object()->set("status", json::parse(status, "status"));
    return ObjectForm::of(value).status();
  };
  const std::string all = R"({"properties":{"conditions":{},"lastRun":{}}})";
  const std::string subresource = R"(,"subresources":{"status":{}})";
  CHECK(with(all, subresource) == ObjectForm::Status::subresource);
  CHECK(with(all, "") == ObjectForm::Status::member);
  CHECK(with(R"({"properties":{"phase":{}}})", subresource) == ObjectForm::Status::annotation);
  CHECK(with(R"({"x-kubernetes-preserve-unknown-fields":true})", "") == ObjectForm::Status::member);
}

TEST_CASE("a status in an annotation is read as the status, a damaged one as none") {
  const auto of = [](const std::string& text) {
    return whole(json::Object{
        {"metadata", json::Object{{"annotations", json::Object{{std::string{annotation::status}, text}}}}}});
  };
  CHECK(at(of(R"({"phase":"Proved"})"), "/status/phase") == R"("Proved")");
  CHECK(at(of("{"), "/status") == "nothing");
}
