#pragma once

namespace capsule::step {

// Linking this also sets how the process ends of what nobody catches (memory that is not to be had inside of a function
// that may not throw, or for the exception itself): with one line and a code of the table, not with a signal and a
// core.

/// Opens what of stdin, stdout and stderr the caller has closed, so that no file of ours gets its number: a line for
/// stderr would land in that file. Reading and writing them goes on to fail. Call first of all.
void occupy_standard_streams() noexcept;

}  // namespace capsule::step
