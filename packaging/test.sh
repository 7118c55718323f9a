#!/bin/bash
# Builds trapline and runs its suites. The last line is `N passed, N failed` (`, N skipped` may follow), counted in test
# cases; the exit code is 0 when none failed.
#
#   packaging/test.sh [SUITE]...      unit fuzz live dap golden faults foreign systemd sanitize; all of them when none is named
#
# sanitize: unit and fuzz once more, in a build of their own under address and undefined-behaviour sanitizers; then the unit
# tests of daemon/index, whose pool is what has several threads on the same data, under ThreadSanitizer.
#
# BUILD_DIR (default build) holds one build a kind; JOBS (default: all processors) bounds the compiler.
set -u
cd "$(dirname "$0")/.." || exit 2
exec </dev/null
export CI="${CI:-true}" LC_ALL=C.UTF-8
build=${BUILD_DIR:-build} jobs=${JOBS:-$(nproc)}
case $build in /*) ;; *) build=$PWD/$build ;; esac
wanted=" ${*:-unit fuzz live dap golden faults foreign systemd sanitize} "
TRAPLINE_TOTALS=$(mktemp) && export TRAPLINE_TOTALS
trap 'rm -f "$TRAPLINE_TOTALS"' EXIT

. packaging/packages.sh
install_packages $build_packages $test_packages $real_packages || exit 2

say() { printf '\n== %s\n' "$*"; }
wants() { case $wanted in *" $1 "*) true ;; *) false ;; esac; }
failed_step() { echo "0 1 0 $1" >>"$TRAPLINE_TOTALS"; }

# configure DIR OPTION...: sets the build up, or takes it as it is when its options are the same.
configure() {
  local dir=$1 log=$1/configure.log
  shift
  mkdir -p "$dir"
  [ -f "$dir/build.ninja" ] && [ "$(cat "$dir/options" 2>/dev/null)" = "$*" ] && return 0
  rm -f "$dir/options"
  if [ -f "$dir/build.ninja" ]; then set -- --reconfigure "$@"; fi
  # mold: a test program of all rooms links in a second, not in ten.
  if ! CC="${CC:-$(with_ccache gcc)}" CXX="${CXX:-$(with_ccache g++)}" CXX_LD="${CXX_LD:-mold}" meson setup "$dir" "$@" >"$log" 2>&1; then
    tail -n 30 "$log"
    return 1
  fi
  [ "$1" = --reconfigure ] && shift
  echo "$*" >"$dir/options"
}
with_ccache() { if command -v ccache >/dev/null; then echo "ccache $1"; else echo "$1"; fi; }

# compile DIR [TARGET...]: quiet when all goes well.
compile() {
  local dir=$1 log=$1/compile.log start=$SECONDS
  shift
  if ! ninja -C "$dir" -j"$jobs" "$@" >"$log" 2>&1; then
    grep -vE '^\[[0-9]+/[0-9]+\] (Compiling|Linking|Generating)' "$log" | tail -n 80
    return 1
  fi
  echo "  built in $((SECONDS - start)) s"
}

# run_suite DIR SUITE LABEL [meson test options]
run_suite() {
  local dir=$1 suite=$2 label=$3
  shift 3
  meson introspect "$dir" --tests | grep -q "trapline:$suite\"" || return 0
  say "$label"
  rm -f "$dir/meson-logs/$label.json"
  meson test -C "$dir" --no-rebuild --suite "$suite" --logbase "$label" "$@" >"$dir/$label.log" 2>&1
  if ! python3 packaging/count_tests.py meson "$dir/meson-logs/$label.json" "$label"; then
    tail -n 20 "$dir/$label.log"
    failed_step "$label"
  fi
}

# run_script LABEL COMMAND...: a suite of its own, whose last line tells its counts.
run_script() {
  local label=$1 out counts
  shift
  say "$label"
  out=$(mktemp)
  "$@" >"$out" 2>&1
  local code=$?
  cat "$out"
  counts=$(tail -n 1 "$out" | sed -nE 's/^([0-9]+) passed, ([0-9]+) failed(, ([0-9]+) skipped)?$/\1 \2 0\4/p')
  rm -f "$out"
  if [ -z "$counts" ]; then
    failed_step "$label"
  else
    echo "$counts $label" >>"$TRAPLINE_TOTALS"
    case $counts in *" 0 "*) [ "$code" = 0 ] || failed_step "$label" ;; esac
  fi
}

suites_in_build='unit fuzz dap golden live faults'
main_build=$build/test
needs_main=
for suite in $suites_in_build foreign systemd; do wants "$suite" && needs_main=1; done

if [ -n "$needs_main" ]; then
  say "build"
  if configure "$main_build" -Dbuildtype=debug -Dbench=false -Dfuzz=true && compile "$main_build"; then
    if wants live; then
      say "real programs"
      bash tests/real/build.sh || echo "  real programs: not built, their cases will say so"
    fi
    for suite in $suites_in_build; do wants "$suite" && run_suite "$main_build" "$suite" "$suite"; done
    wants foreign && run_script foreign timeout -k 10 600 bash tests/dap/foreign/run.sh "$main_build"
    wants systemd && run_script systemd timeout -k 10 200 bash packaging/systemd/check.sh "$main_build"
  else
    failed_step build
  fi
fi

if wants sanitize; then
  say "build with address and undefined-behaviour sanitizers"
  sane_build=$build/sanitize
  export ASAN_OPTIONS="detect_leaks=1:abort_on_error=0:detect_stack_use_after_return=1:strict_string_checks=1"
  export UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1"
  ulimit -S -s 65536 2>/dev/null || true  # a sanitized frame takes ten times the room
  # Unit tests and fuzz runs. A debuggee is never sanitized, and tests that trace need timing that a sanitized tracer lacks.
  if configure "$sane_build" -Dbuildtype=plain -Dcpp_args=-g1 -Db_sanitize=address,undefined -Db_lundef=false \
    -Dbench=false -Dfuzz=true &&
    compile "$sane_build" fixtures_all $(ninja -C "$sane_build" -t targets all | sed -nE 's/^(tests\/(unit|fuzz)\/.*(unit|fuzz)_[a-z_]+): .*LINKER$/\1/p'); then
    run_suite "$sane_build" unit sanitize-unit -t 4
    run_suite "$sane_build" fuzz sanitize-fuzz -t 4
  else
    failed_step sanitize-build
  fi
  thread_build=$build/threads
  export TSAN_OPTIONS="halt_on_error=1:second_deadlock_stack=1"
  if configure "$thread_build" -Dbuildtype=plain "-Dcpp_args=-g1 -Wno-tsan" -Db_sanitize=thread -Db_lundef=false -Dbench=false &&
    compile "$thread_build" tests/unit/index/unit_index tests/fixtures/code_shapes tests/fixtures/code_shapes.O2 \
      tests/fixtures/code_shapes.compressed tests/fixtures/find_shapes.gcc.5 tests/fixtures/find_shapes.gcc.5.zstd; then
    run_suite "$thread_build" unit sanitize-threads -t 4 index
  else
    failed_step sanitize-threads-build
  fi
fi

echo
python3 packaging/count_tests.py total "$TRAPLINE_TOTALS"
