#!/bin/bash
# Builds trapline and shows a live session on a small multi-threaded program: the stop with its source, the stack, the
# values, a step, the program's own output and its end. Needs Debian 12 (it installs what is missing) and a few minutes
# the first time.
set -eu
came_from=$PWD
cd "$(dirname "$0")/.."
exec </dev/null
export LC_ALL=C.UTF-8
build=${BUILD_DIR:-build}/quick

. packaging/packages.sh
install_packages $build_packages

if command -v ccache >/dev/null; then export CC="${CC:-ccache gcc}" CXX="${CXX:-ccache g++}"; fi
mkdir -p "$build"
log=$build/quickstart.log
if [ ! -f "$build/build.ninja" ] &&
  ! meson setup "$build" -Dbuildtype=debugoptimized -Dtests=false -Dbench=false >"$log" 2>&1; then
  tail -n 30 "$log"
  exit 1
fi
echo "Building trapline in $build (some minutes the first time) …"
# On a terminal the last line of ninja's log says how far it is.
show_progress() {
  while sleep 1; do printf '\r  %s\033[K' "$(tail -c 400 "$log" | grep -oE '^\[[0-9]+/[0-9]+\]' | tail -n 1)"; done
}
progress=
if [ -t 1 ]; then show_progress & progress=$!; fi
built=yes
ninja -C "$build" -j"${JOBS:-$(nproc)}" >"$log" 2>&1 || built=no
if [ -n "$progress" ]; then
  kill "$progress"
  wait "$progress" 2>/dev/null || true
  printf '\r\033[K'
fi
if [ "$built" = no ]; then
  grep -vE '^\[[0-9]+/[0-9]+\] (Compiling|Linking|Generating)' "$log" | tail -n 60
  exit 1
fi
sample=$build/orders
${CXX:-g++} -std=c++20 -g -O0 -pthread packaging/sample/orders.cpp -o "$sample"

# A daemon of its own, so that one of another build that may be running is left out of this.
folder=$(mktemp -d)
"$build/daemon/traplined" --listen "unix:$folder/socket" >"$folder/out" 2>"$folder/log" &
daemon=$!
trap 'kill "$daemon" 2>/dev/null; wait "$daemon" 2>/dev/null; rm -rf "$folder"' EXIT
for _ in $(seq 200); do
  grep -q '^listening on ' "$folder/out" && break
  kill -0 "$daemon" 2>/dev/null || { cat "$folder/log"; exit 1; }
  sleep 0.05
done

echo
echo "\$ trapline run -- $sample"
timeout 60 "$build/client/trapline" --socket "unix:$folder/socket" run -- "$sample" <<'COMMANDS'
break price_of if order.quantity >= 10
run
backtrace 3
print order
next
next
info locals
info threads
delete 1
continue
COMMANDS

echo
where=
case $build in /*) ;; *) [ "$came_from" = "$PWD" ] || where=$PWD/ ;; esac
echo "That was scripted. To drive it yourself, type:"
echo "  $where$build/client/trapline run -- $where$sample"
