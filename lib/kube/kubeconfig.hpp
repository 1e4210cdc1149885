#pragma once

#include <map>
#include <string>
#include <vector>

#include "json/value.hpp"
#include "kube/config.hpp"

namespace capsule::kube {

/// One named entry, and the file that it stands in: its relative paths count from that file's folder.
struct Entry {
  json::Value value;
  std::string file;
};

/// kubeconfig files as one (kubernetes.io, "Organizing Cluster Access"): of entries with the same name, and of
/// current-context, the first holds.
struct Kubeconfig {
  std::map<std::string, Entry, std::less<>> clusters;
  std::map<std::string, Entry, std::less<>> users;
  std::map<std::string, Entry, std::less<>> contexts;
  std::string current_context;
  std::string files;  ///< for messages
};

/// Adds one file's text. Error usage for what is no kubeconfig; fields that are not known here are passed over, as
/// kubectl does.
void merge(Kubeconfig& into, std::string_view text, const std::string& file);

/// The files of a KUBECONFIG list, in their order, each once.
std::vector<std::string> split_list(std::string_view list);

/// The chosen context (empty: current-context) with its cluster and its user. Reads the files that they name.
Config choose(const Kubeconfig& from, std::string_view context);

}  // namespace capsule::kube
