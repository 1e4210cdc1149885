#include "order.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/semver.hpp"
#include "crypto/pkcs11_uri.hpp"
#include "deploy/run_record.hpp"
#include "image/published_package.hpp"
#include "index/uri.hpp"
#include "json/cursor.hpp"
#include "json/parse.hpp"
#include "oci/media_types.hpp"
#include "resolve/resolve.hpp"

namespace deploy_step {

using namespace capsule;

namespace {

json::Value parse_parameters(const std::string& text) {
  auto value = as_usage("", [&] { return json::parse(text, "--parameters"); });
  if (!value.is_object())
    throw Error{ErrorKind::usage, "--parameters wants one JSON object, such as {\"generations\": 50}"};
  json::Cursor{value, "--parameters", ErrorKind::usage}.require_exact_integers();
  return value;
}

/// The head that download hands on: one that was served to download alone is seen by nobody else.
oci::Reference head_of(const Options& options, const std::string& name) {
  auto head = oci::Reference::parse(options.index_head, options.registries.access());
  if (head.digest && head.name == name) return head;
  throw Error{
      ErrorKind::usage,
      fmt::format("--index-head wants the head of the index of '{}' by its digest, as download names it", name)};
}

}  // namespace

Order read_order(const Options& options, const std::optional<std::string>& ns, step::Context& step) {
  if (options.reference.empty())
    throw Error{ErrorKind::usage, "give the REFERENCE of a published capsule, or: delete REFERENCE (see --help)"};
  const auto access = options.registries.access();
  const bool is_uri = index::CapsuleUri::looks_like(options.reference);
  std::optional<oci::Reference> reference;
  if (!is_uri) reference = oci::Reference::parse(options.reference, access);
  if (reference && !reference->digest && options.plan) {
    const auto store = oci::open_store(reference->registry, reference->name);
    reference = oci::Reference{reference->registry, reference->name, {}, image::find_index(*store, *reference).digest};
  }
  if (reference && !reference->digest)
    throw Error{ErrorKind::usage,
                "give the reference with the digest of its version index, <name>@sha256:…, so that nothing can change "
                "under it"};
  auto parameters = parse_parameters(options.parameters);
  auto state = options.state.empty() ? step::default_state_folder() : options.state;
  auto trust =
      attest::find_trust(options.trust, crypto::with_module(options.key, options.pkcs11_module), state.string());
  std::shared_ptr<cluster::IndexMemory> index;
  if (!is_uri && !options.index_head.empty()) {
    head_of(options, reference->name);
    if (ns) index = std::make_shared<cluster::IndexMemory>(*ns, reference->name);
  }
  if (is_uri) {
    const auto uri = index::CapsuleUri::parse(options.reference);
    if (ns) index = std::make_shared<cluster::IndexMemory>(*ns, uri.name);
    reference =
        resolve::resolve({uri, options.registry, access, trust, state, step.progress(), index.get()}).reference();
  }
  return {options, std::move(*reference), std::move(parameters), std::move(state), std::move(trust), std::move(index)};
}

void require_index_goes_on(const Order& order, const json::Value* object, log::Progress& progress) {
  if (!order.index) return;
  const auto& name = order.reference.name;
  if (!index::CapsuleUri::looks_like(order.options.reference)) {
    order.index->know(object);
    const auto head = head_of(order.options, name);
    const auto store = oci::open_store(head.registry, name);
    index::SeenHeads seen{order.state, order.index.get()};
    index::Index{*store, head.registry.text(), name, order.trust, &seen}.hold(*head.digest);
    return;
  }
  if (!order.index->last()) return;
  const auto last = *order.index->last();
  order.index->know(object);
  index::SeenHeads{order.state, order.index.get()}.check_and_remember(
      last.registry, name, last.head, [&](const index::HeadId&) {
        // It has grown since: looked up again, with what the object knows, its heads are followed back.
        resolve::resolve({index::CapsuleUri::parse(order.options.reference), order.options.registry,
                          order.options.registries.access(), order.trust, order.state, progress, order.index.get()});
      });
}

void note_index(const Order& order, json::Object& object) {
  if (order.index) order.index->note(object);
}

void require_name(const Manifest& manifest, const oci::Reference& reference) {
  if (manifest.name == reference.name) return;
  throw Error{ErrorKind::verification_failed,
              fmt::format("the capsule under the name '{}' calls itself '{}'", reference.name, manifest.name)};
}

oci::Descriptor subject_of(oci::Store& store, const Digest& index) {
  return {std::string{oci::media_type::image_index}, index, store.manifest(index).size(), {}, {}, {}};
}

std::string name_in(const std::string& text) {
  if (index::CapsuleUri::looks_like(text)) return index::CapsuleUri::parse(text).name;
  return is_name(text) ? text : oci::Reference::parse(text).name;
}

std::string start_in(const std::string& record) {
  const auto value = json::parse(record, "the run record", {.bytes = deploy::max_run_record_bytes, .depth = 64});
  return json::Cursor{value, "the run record"}.at("start").at("mode").string();
}

deploy::RecordedRun recorded_run(oci::Store& store, const Digest& record) {
  const auto text = oci::read_text(store, record, deploy::max_run_record_bytes);
  const auto value = json::parse(text, "the run record", {.bytes = deploy::max_run_record_bytes, .depth = 64});
  const json::Cursor run{value, "the run record"};
  return {run.at("run_id").string(), record, run.at("start").at("mode").string(), run.at("node").at("name").string(),
          run.at("finished_at").string()};
}

std::string joined(const std::vector<std::string>& texts) {
  std::string out;
  for (const auto& text : texts) out += (out.empty() ? "" : ",") + text;
  return out;
}

}  // namespace deploy_step
