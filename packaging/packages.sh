# What trapline needs from Debian 12, in one place. Sourced by quickstart.sh and test.sh.
#
# A line is `package`, or `package:command` where any way of having the command will do (a newer node, a pyenv python).

build_packages='
  g++ meson:meson ninja-build:ninja pkg-config:pkg-config
  libdw-dev libelf-dev libdebuginfod-dev libiberty-dev libxxhash-dev zlib1g-dev liblzma-dev libasio-dev nlohmann-json3-dev
  libcli11-dev libpcre2-dev libmd-dev libfmt-dev libspdlog-dev libzydis-dev libpugixml-dev libedit-dev libsystemd-dev doctest-dev'

# The suites also run gdb (as a second opinion and as "somebody else's tracer") and node's protocol tests; fixtures are built by
# gcc and clang, dwz folds one of them; debuginfod serves one's debug file; libc's debug information shows frames of a library built with -O2; libc++, Boost and
# rustc are there for their types.
test_packages='gdb:gdb nodejs:node npm:npm git:git clang:clang++ dwz:dwz mold:mold libc6-dbg
  libc++-14-dev libc++abi-14-dev libboost-dev rustc:rustc llvm:llvm-dwp xz-utils:xz debuginfod:debuginfod'

# Building Debian's sources of real programs (tests/real); their own libraries stay out, see there.
real_packages='dpkg-dev:dpkg-source make:make tcl:tclsh'

# Prints those of the listed packages that are not there.
missing_packages() {
  local item package command
  for item in "$@"; do
    package=${item%%:*} command=${item#*:}
    [ "$command" != "$item" ] && command -v "$command" >/dev/null 2>&1 && continue
    dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || echo "$package"
  done
}

# Installs what is missing of the listed packages. Does and prints nothing when all are there.
install_packages() {
  local missing sudo=
  missing=$(missing_packages "$@")
  [ -z "$missing" ] && return 0
  if ! command -v apt-get >/dev/null; then
    echo "These Debian packages (or your system's equal) are needed: $(echo $missing)" >&2
    return 1
  fi
  if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "As root, run: apt-get install $(echo $missing)" >&2
      return 1
    fi
    sudo=sudo
  fi
  local log
  log=$(mktemp)
  echo "Installing $(echo $missing | wc -w) packages from Debian: $(echo $missing)"
  # A fresh machine has no package lists; an old one may have stale ones. Fetch them only when the first try fails.
  if ! apt_install $missing >"$log" 2>&1; then
    if ! { $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq update && apt_install $missing; } >>"$log" 2>&1; then
      cat "$log" >&2
      rm -f "$log"
      echo "Installing failed; the lines above are apt's." >&2
      return 1
    fi
  fi
  rm -f "$log"
}

apt_install() {
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=120 install --no-install-recommends "$@" </dev/null
}
