#!/bin/sh
# Healthy means: model, claims and simulation load, and two short runs with one seed agree. Prints one JSON line.
set -eu
exec python3 expansion/m2n2/runner.py --self-check
