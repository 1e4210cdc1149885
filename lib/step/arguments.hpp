#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace capsule::step {

/// Whether an option of the program is also good behind a subcommand: --help, --version, --output, --outputs, --state.
bool is_common(const CLI::Option& option);

/// Gives each long option without one the environment variable CAPSULE_<OPTION> ("--proof-service" →
/// CAPSULE_PROOF_SERVICE); flags win. Subcommands too: one that is used reads it for itself, and of
/// the program's own options only --output, --outputs and --state still do.
void add_environment_names(CLI::App& app);

/// A list takes one value (or several with commas between them, where its definition has a delimiter) each time that it
/// is named: what follows is a positional argument. CLI11 alone would take all that follows. Subcommands too.
void take_one_value_each_time(CLI::App& app);

/// The arguments as CLI11's parse(vector) wants them (reversed, without the program's name), with empty arguments and
/// `--option=` dropped (expression tags of a workflow can yield them). Where an option takes a document (type name
/// JSON), a value `@FILE` is replaced by the file's content less one newline at its end; at most 4 MiB. Error usage,
/// not_found.
std::vector<std::string> expand_arguments(const CLI::App& app, int argc, char** argv);

/// Takes the environment away from options that exclude one of those typed: with --trust on the command line, a
/// CAPSULE_KEY of the environment counts as not given. `arguments` are those of expand_arguments(); call it after
/// add_environment_names().
void let_flags_win(CLI::App& app, const std::vector<std::string>& arguments);

/// Once parsed: a subcommand takes none of the program's own positionals and options but --output, --outputs and
/// --state; fallthrough() hands them on all the same, where nobody would look at them. Error usage.
void refuse_strangers(const CLI::App& app);

}  // namespace capsule::step
