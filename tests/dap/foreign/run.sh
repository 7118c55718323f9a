#!/bin/bash
# trapline's adapter, driven by npm's @vscode/debugadapter-testsupport; every message that it sends is checked against
# the protocol's own types (npm's @vscode/debugprotocol).
#
#   tests/dap/foreign/run.sh BUILD_DIR [--grep TEXT | --bail]
set -eu
build=$(cd "${1:?usage: run.sh BUILD_DIR [--grep TEXT | --bail]}" && pwd)
shift
cd "$(dirname "$0")"
export TRAPLINED=${TRAPLINED:-$build/daemon/traplined} TRAPLINE=${TRAPLINE:-$build/client/trapline} FIXTURES=$build/foreign
if [ ! -x "$TRAPLINED" ]; then
  echo "$TRAPLINED is not there; build it first"
  echo "0 passed, 1 failed"
  exit 1
fi
# `npm ci` once per lock file; the packages need no scripts of theirs to run.
if ! cmp -s package-lock.json node_modules/.installed-for; then
  npm ci --no-audit --no-fund --ignore-scripts --loglevel=error
  cp package-lock.json node_modules/.installed-for
fi
exec node run.js "$@"
