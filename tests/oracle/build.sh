#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# build.sh PACKAGES OUT [cuda]: builds the planner against the llama.cpp of npm in PACKAGES/node_modules; with "cuda" also the empty driver.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
packages=$(cd "$1" && pwd)/node_modules
mkdir -p "$2"
cd "$2"

# The headers that match the binaries.
if [ ! -d source/include ]; then
  rm -rf source
  git clone --quiet --no-checkout "$packages/node-llama-cpp/llama/gitRelease.bundle" source
  git -C source checkout --quiet HEAD -- include ggml/include src/llama-ext.h common/fit.h
fi

# link OUT FOLDER LIBRARY...
link() {
  g++ -O1 -std=c++20 -Isource/include -Isource/ggml/include -Isource/src -Isource/common "$here/planner.cpp" -o "$1" -L"$2" "${@:3}" \
    -l:libllama-common.so -l:libggml-base.so -ldl -Wl,-rpath,"$2" -Wl,--allow-shlib-undefined
}
cpu=$packages/@node-llama-cpp/linux-x64/bins/linux-x64
link planner "$cpu" -l:libllama.v0.5.0.so -l:libggml.v0.5.0.so
[ "${3:-}" = cuda ] || exit 0
cuda=$packages/@node-llama-cpp/linux-x64-cuda/bins/linux-x64-cuda
link planner-cuda "$cuda" -l:libllama.cuda.v0.5.0.so -l:libggml.cuda.v0.5.0.so
for library in cudart:13 cublas:13 cuda:1; do
  name=${library%:*}
  map=$here/empty_driver/$name.map
  gcc -O1 -shared -fPIC "$here/empty_driver/$name.c" -o "lib$name.so.${library#*:}" -Wl,-soname,"lib$name.so.${library#*:}" \
    ${map:+$([ -f "$map" ] && echo "-Wl,--version-script=$map")}
done
