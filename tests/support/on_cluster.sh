#!/usr/bin/env bash
# on_cluster.sh COMMAND… – runs what starts the tests' cluster of this tree (build/cluster/state) and ends it: one such command at a time,
# since the cluster ends with it; and also where it is interrupted nothing is left. Exit code: the command's, or 75.
set -uo pipefail
cd "$(dirname "$0")/../.."
exec 9<build
flock --nonblock 9 || { echo 'tests on a cluster are going on in this tree already (make e2e, make test): wait for their end' >&2; exit 75; }
trap '/usr/bin/python3 -B tests/cluster/cluster.py --of-tests down build/cluster/state 9<&-' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
# Of namespaces on somebody's cluster: whose they are.
export CAPSULE_E2E_RUN="$$-$(date +%s)"
"$@" 9<&-
