#!/bin/bash
# Drives a real VS Code with the extension in it: breakpoint by F9, start by F5, the stopped line, call stack, variables,
# a step, the program's output, and attaching through the process picker. Screenshots land in shots/.
#
#   packaging/vscode/e2e/run.sh [BUILD_DIR]     BUILD_DIR holds daemon/traplined (default: build/quick, then build/test)
#
# Not part of the default suite: it downloads and builds about 300 MB the first time, into $TRAPLINE_E2E_DIR
# (~/.cache/trapline-tests/e2e).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
for build in "${1:-}" "$root/build/quick" "$root/build/test"; do [ -x "$build/daemon/traplined" ] && break; done
[ -x "$build/daemon/traplined" ] || { echo "no traplined in ${1:-$root/build}; run packaging/quickstart.sh first"; exit 1; }
build=$(cd "$build" && pwd)
tools=${TRAPLINE_E2E_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/trapline-tests/e2e}
bash "$here/install.sh" "$tools"

cd "$here/.."
[ -d node_modules ] || npm ci --no-audit --no-fund --ignore-scripts --loglevel=error
npm run --silent package >/dev/null

export TRAPLINE_E2E_TOOLS=$tools TRAPLINED=$build/daemon/traplined VSIX=$here/../trapline.vsix
exec timeout 400 node "$here/e2e.mjs"
