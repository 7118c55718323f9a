#!/bin/bash
# Builds real programs from Debian's sources for the live suite: lua, the sqlite3 shell, and redis with its tools, each
# at -O2 -g and at -O0 -g. What is in the cache already is left alone.
#
#   tests/real/build.sh [DIR]     DIR: $TRAPLINE_REAL_DIR, or ~/.cache/trapline-tests/real
#
# Afterwards DIR/O0 and DIR/O2 hold lua, sqlite3, redis-server, redis-cli and redis-benchmark, and DIR/src the sources
# that their debug information names. The package lists, keys aside, are the script's own: neither the machine's source
# list nor its lists are touched.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
dir=${1:-${TRAPLINE_REAL_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/trapline-tests/real}}
jobs=${JOBS:-$(nproc)}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

# Several suites may start at once: the second one waits and then finds all done.
exec 9>"$dir/lock"
flock 9

programs='lua sqlite3 redis-server redis-cli redis-benchmark'
complete=1
for level in O0 O2; do
  for program in $programs; do [ -x "$dir/$level/$program" ] || complete=; done
done
# The stamp changes with this script, so that a changed recipe builds anew.
stamp=$(sha256sum <"$here/build.sh" | cut -c1-16)
if [ -n "$complete" ] && [ "$(cat "$dir/stamp" 2>/dev/null)" = "$stamp" ]; then
  echo "  in $dir already"
  exit 0
fi

. "$here/../../packaging/packages.sh"
install_packages $build_packages $real_packages

log=$dir/build.log
: >"$log"
trap 'code=$?; [ $code = 0 ] || { tail -n 25 "$log"; echo "tests/real/build.sh failed; all of it: $log"; }' EXIT

fetch() { # fetch SOURCE: DIR/src/SOURCE, from Debian's source package of that name
  [ -d "$dir/src/$1" ] && return
  local apt=$dir/apt codename
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-bookworm}")
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$dir/src"
  local key='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]'
  printf 'deb-src %s http://deb.debian.org/debian%s main\n' \
    "$key" " $codename" "$key" "-security $codename-security" >"$apt/sources.list"
  local options=(-q -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt/cache" -o APT::Sandbox::User=root -o Acquire::Retries=3)
  [ -f "$apt/updated" ] || timeout 120 apt-get "${options[@]}" update >>"$log" 2>&1
  touch "$apt/updated"
  # Lists of an earlier day may name a version that the mirror has replaced since.
  if ! (cd "$apt" && timeout 180 apt-get "${options[@]}" source --download-only "$1") >>"$log" 2>&1; then
    timeout 120 apt-get "${options[@]}" update >>"$log" 2>&1
    (cd "$apt" && timeout 180 apt-get "${options[@]}" source --download-only "$1") >>"$log" 2>&1
  fi
  rm -rf "$dir/src/$1.part"
  dpkg-source --no-check -x "$(ls "$apt/$1"_*.dsc | sort -V | tail -n 1)" "$dir/src/$1.part" >>"$log" 2>&1
  rm -f "$dir/src/$1"_*.orig*  # dpkg-source leaves copies beside the tree
  mv "$dir/src/$1.part" "$dir/src/$1"
}

put() { # put LEVEL FILE...: into DIR/LEVEL, at once or not at all
  local level=$1 file
  shift
  mkdir -p "$dir/$level"
  for file in "$@"; do
    cp "$file" "$dir/$level/.new"
    mv "$dir/$level/.new" "$dir/$level/$(basename "$file")"
  done
}

build_lua() { # build_lua LEVEL
  local out=$dir/obj/$1-lua
  mkdir -p "$out"
  # Debian's build generates this header; the sources include it.
  echo '#define DEB_HOST_MULTIARCH "x86_64-linux-gnu"' >"$out/lua5.4-deb-multiarch.h"
  (cd "$dir/src/lua5.4/src" && ls ./*.c | grep -v luac.c |
    sed 's|^[.]/||' |
    xargs -P "$jobs" -I{} gcc -std=gnu99 "-$1" -g -DLUA_COMPAT_5_3 -DLUA_USE_LINUX -I"$out" -c "$PWD/{}" -o "$out/{}.o") >>"$log" 2>&1
  gcc -g -Wl,-E "$out"/*.o -o "$out/lua" -lm -ldl >>"$log" 2>&1
  put "$1" "$out/lua"
}

amalgamate_sqlite() {
  local out=$dir/src/sqlite3/amalgamation
  [ -f "$out/shell.c" ] && return
  mkdir -p "$out.part"
  (cd "$out.part" && ../configure --disable-readline --disable-tcl && make sqlite3.c sqlite3.h shell.c) >>"$log" 2>&1
  mv "$out.part" "$out"
}

build_sqlite() { # build_sqlite LEVEL
  local out=$dir/obj/$1-sqlite source=$dir/src/sqlite3/amalgamation
  mkdir -p "$out"
  gcc "-$1" -g -DSQLITE_THREADSAFE=1 -DSQLITE_ENABLE_FTS5 -I"$source" "$source/shell.c" "$source/sqlite3.c" \
    -o "$out/sqlite3" -lm -ldl -lpthread >>"$log" 2>&1
  put "$1" "$out/sqlite3"
}

build_redis() { # build_redis LEVEL: in a tree of its own, since its makefiles build in place
  local tree=$dir/src/redis-$1
  rm -rf "$tree"
  cp -r "$dir/src/redis" "$tree"
  make -C "$tree/src" -j"$jobs" MALLOC=libc USE_SYSTEMD=no OPTIMIZATION="-$1" REDIS_CFLAGS=-g CFLAGS="-g -$1" \
    redis-server redis-cli redis-benchmark >>"$log" 2>&1
  put "$1" "$tree"/src/redis-{server,cli,benchmark}
}

for source in lua5.4 sqlite3 redis; do fetch "$source"; done
amalgamate_sqlite
for level in O0 O2; do
  echo "  lua, sqlite3, redis at -$level"
  build_lua "$level"
  build_sqlite "$level" &
  sqlite=$!
  build_redis "$level"
  wait "$sqlite"
done
rm -rf "$dir/obj"
echo "$stamp" >"$dir/stamp"
echo "  in $dir"
