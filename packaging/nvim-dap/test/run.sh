#!/bin/bash
# Drives the configuration for nvim-dap in a headless Neovim: launch to a conditional breakpoint, stack, values, steps,
# the program's terminal, attach and disconnect.
#
#   packaging/nvim-dap/test/run.sh BUILD_DIR      needs nvim and nvim-dap; NVIM_DAP names the folder of the latter
#
# Not part of the default suite: neither is among the packages that trapline needs.
set -eu
build=$(cd "${1:?usage: run.sh BUILD_DIR}" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
command -v nvim >/dev/null || { echo "skipped: nvim is not installed"; echo "0 passed, 0 failed, 1 skipped"; exit 0; }
: "${NVIM_DAP:=${XDG_DATA_HOME:-$HOME/.local/share}/nvim/site/pack/dap/start/nvim-dap}"
if [ ! -f "$NVIM_DAP/lua/dap.lua" ]; then
  echo "nvim-dap is not in $NVIM_DAP; set NVIM_DAP to a clone of github.com/mfussenegger/nvim-dap that fits your Neovim"
  echo "0 passed, 0 failed, 1 skipped"
  exit 0
fi
folder=$(mktemp -d)
pids=
trap 'kill $pids 2>/dev/null; wait; rm -rf "$folder"' EXIT
cp "$here/../../sample/orders.cpp" "$here/../../vscode/e2e/workspace/counter.cpp" "$folder"
g++ -std=c++20 -g -O0 -pthread "$folder/orders.cpp" -o "$folder/orders"
g++ -std=c++20 -g -O0 -pthread "$folder/counter.cpp" -o "$folder/counter"
"$folder/counter" >/dev/null &
pids="$pids $!"
export TRAPLINE_TEST_PID=$! TRAPLINE_TEST_FOLDER=$folder TRAPLINE_LUA=$here/../trapline.lua TRAPLINE=$build/client/trapline NVIM_DAP
# A runtime folder of its own: the daemon of the user at this machine stays out of it.
export XDG_RUNTIME_DIR=$folder XDG_CACHE_HOME=$folder/cache XDG_STATE_HOME=$folder/state TRAPLINE_SOCKET="unix:$folder/socket"
"$build/daemon/traplined" --listen "$TRAPLINE_SOCKET" >/dev/null 2>"$folder/log" &
pids="$pids $!"
code=0
timeout -k 5 120 nvim --headless -u NONE -i NONE -c "luafile $here/drive.lua" || code=$?
exit "$code"
