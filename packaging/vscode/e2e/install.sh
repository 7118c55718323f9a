#!/bin/bash
# Installs code-server and playwright-core from npm into DIR (the one argument), without running the packages' own
# install scripts: those download prebuilt binaries, here the native modules are built from their sources. What is there
# already is left alone.
set -eu
dir=$1
here=$(cd "$(dirname "$0")" && pwd)
stamp=$(cat "$here/package-lock.json" "$here/install.sh" | sha256sum | cut -c1-16)
[ "$(cat "$dir/stamp" 2>/dev/null)" = "$stamp" ] && exit 0

. "$here/../../packages.sh"
install_packages nodejs:node npm:npm chromium:chromium g++ make:make python3:python3 libkrb5-dev

node -e 'process.exit(process.versions.node.split(".")[0] === "20" ? 0 : 1)' ||
  { echo "code-server 4.100 needs node 20; this is $(node --version)"; exit 1; }
# node-gyp downloads node's headers unless it is told where they are.
prefix=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
[ -f "$prefix/include/node/node_api.h" ] && export npm_config_nodedir=$prefix

mkdir -p "$dir"
log=$dir/install.log
trap 'code=$?; [ $code = 0 ] || { tail -n 25 "$log"; echo "installing code-server failed; all of it: $log"; }' EXIT
: >"$log"
echo "Installing code-server into $dir …"
cp "$here/package.json" "$here/package-lock.json" "$dir/"
cd "$dir"
npm ci --no-audit --no-fund --ignore-scripts >>"$log" 2>&1
gyp=$dir/node_modules/node-gyp/bin/node-gyp.js

# VS Code's own modules have a lock file of their own; it looks for them under a second name too.
cd node_modules/code-server/lib/vscode
npm install --omit=dev --ignore-scripts --no-audit --no-fund >>"$log" 2>&1
ln -sfn node_modules node_modules.asar
for module in @vscode/spdlog native-watchdog node-pty @parcel/watcher kerberos @vscode/deviceid; do
  (cd "node_modules/$module" && node "$gyp" rebuild >>"$log" 2>&1)
done
cd "$dir/node_modules/argon2"
npm_config_node_gyp=$gyp node ../@mapbox/node-pre-gyp/bin/node-pre-gyp install --build-from-source >>"$log" 2>&1
echo "$stamp" >"$dir/stamp"
