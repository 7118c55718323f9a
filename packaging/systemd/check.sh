#!/bin/bash
# Holds the units against systemd: they are well formed, and a daemon that was started through a socket of systemd's serves
# it, knows it for its own, and leaves it there when it ends for want of work.
#
#   packaging/systemd/check.sh BUILD_DIR       the last line is `N passed, N failed`
set -u
build=$(cd "${1:?usage: check.sh BUILD_DIR}" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
passed=0 failed=0 skipped=0
ok() { echo "  ok    $1"; passed=$((passed + 1)); }
bad() { echo "  FAIL  $1"; shift; printf '%s\n' "$@"; failed=$((failed + 1)); }
skip() { echo "  skip  $1"; skipped=$((skipped + 1)); }
folder=$(mktemp -d)
activator=
trap '[ -n "$activator" ] && kill "$activator" 2>/dev/null; wait; rm -rf "$folder"' EXIT
export XDG_RUNTIME_DIR=$folder

if command -v systemd-analyze >/dev/null; then
  mkdir "$folder/units"
  cp "$here/trapline.socket" "$folder/units"
  sed "s|/usr/bin/traplined|$build/daemon/traplined|" "$here/trapline.service" >"$folder/units/trapline.service"
  if said=$(timeout 60 systemd-analyze --user verify "$folder/units/trapline.socket" "$folder/units/trapline.service" 2>&1) &&
    [ -z "$said" ]; then
    ok "the units are well formed"
  else
    bad "the units are well formed" "$said"
  fi
else
  skip "the units are well formed: no systemd-analyze"
fi

# What the units say, run by systemd's own activator: %t is the runtime folder.
if command -v systemd-socket-activate >/dev/null; then
  socket=$(sed -n 's/^ListenStream=//p' "$here/trapline.socket")
  socket=${socket/\%t/$folder}
  read -r -a command < <(sed -nE 's/(--idle-exit) [0-9]+/\1 1/; s/^ExecStart=//p' "$here/trapline.service")
  mkdir -p "$(dirname "$socket")"
  systemd-socket-activate -l "$socket" "$build/daemon/traplined" "${command[@]:1}" >"$folder/log" 2>&1 &
  activator=$!
  for _ in $(seq 200); do [ -S "$socket" ] && break; sleep 0.05; done
  said=$(timeout 20 "$build/client/trapline" --json sessions 2>&1)
  if [ "$said" = "[]" ]; then ok "the first client starts the daemon"; else bad "the first client starts the daemon" "$said" "$(cat "$folder/log")"; fi
  # --idle-exit is shortened above: it ends by itself.
  if grep -q "^listening on unix:$socket\$" "$folder/log"; then ok "it says where it listens"; else bad "it says where it listens" "$(cat "$folder/log")"; fi
  timeout 30 tail --pid="$activator" -f /dev/null
  if wait "$activator"; then ok "it ends with 0 when nobody uses it"; else bad "it ends with 0 when nobody uses it" "$(cat "$folder/log")"; fi
  activator=
  if [ -S "$socket" ]; then ok "the socket is left to systemd"; else bad "the socket is left to systemd"; fi
else
  skip "socket activation: no systemd-socket-activate"
fi

echo "$passed passed, $failed failed$([ "$skipped" = 0 ] || echo ", $skipped skipped")"
[ "$failed" = 0 ]
