#include "image/open_capsule.hpp"

#include <fmt/format.h>

#include "core/error.hpp"

namespace capsule::image {

CapsuleArgument CapsuleArgument::find(const std::string& text, const WorkingStore& store) {
  CapsuleArgument argument{text};
  if (oci::Reference::looks_like(text)) {
    const auto reference = oci::Reference::parse(text);
    argument.m_store = oci::open_store(reference.registry, reference.name);
    argument.m_published = read_published(*argument.m_store, find_index(*argument.m_store, reference).digest);
    argument.m_size = argument.m_published->size;
    return argument;
  }
  if (text.starts_with("sha256:")) {
    argument.m_wanted = Digest::parse(text);
    argument.m_file = store.find(*argument.m_wanted);
  } else {
    argument.m_file = text;
  }
  argument.m_size = fs::FileSource{argument.m_file}.size();
  return argument;
}

std::unique_ptr<Source> CapsuleArgument::open() const {
  if (m_published) return open_package(*m_store, *m_published);
  return std::make_unique<fs::FileSource>(m_file);
}

void CapsuleArgument::check(const VerifiedCapsule& capsule) const {
  if (m_published) check_same(*m_published, capsule);
  if (m_wanted && *m_wanted != capsule.package_digest()) {
    throw Error{ErrorKind::verification_failed, fmt::format("the store holds {} under the name of {}",
                                                            capsule.package_digest().text(), m_wanted->text())};
  }
}

std::optional<std::string> CapsuleArgument::sibling(std::string_view suffix) const {
  if (m_file.empty()) return std::nullopt;
  auto path = m_file;
  path += suffix;
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return std::nullopt;
  return fs::read_file(path, max_sibling_bytes);
}

}  // namespace capsule::image
