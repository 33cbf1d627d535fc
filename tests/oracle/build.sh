#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# build.sh OUT [cuda]: builds the planner against the llama.cpp of npm that stands beside this script; with "cuda" that flavour and the empty driver.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cd "$1"

# The headers that match the binaries.
if ! cmp -s <(cat "$here/package-lock.json" "$here/build.sh") source/.built-from; then
  rm -rf source planner planner-cuda projector-cuda
  git clone --quiet --no-checkout "$here/node_modules/node-llama-cpp/llama/gitRelease.bundle" source
  git -C source checkout --quiet HEAD -- include ggml/include src/llama-ext.h common/fit.h \
    ':(glob)tools/mtmd/*.h' tools/mtmd/clip.cpp tools/mtmd/models
  cat "$here/package-lock.json" "$here/build.sh" >source/.built-from
fi

# link OUT FOLDER LIBRARY...
link() {
  [ "$1" -nt "$here/planner.cpp" ] || g++ -O1 -std=c++20 -Isource/include -Isource/ggml/include -Isource/src -Isource/common "$here/planner.cpp" \
    -o "$1" -L"$2" "${@:3}" -l:libllama-common.so -l:libggml-base.so -ldl -Wl,-rpath,"$2" -Wl,--allow-shlib-undefined
}

# library NAME VERSION [OPTION...]: a part of the empty driver.
library() {
  gcc -O1 -shared -fPIC "$here/empty_driver/$1.c" -o "lib$1.so.$2" -Wl,-soname,"lib$1.so.$2" "${@:3}"
}

if [ "${2:-}" != cuda ]; then
  link planner "$here/node_modules/@node-llama-cpp/linux-x64/bins/linux-x64" -l:libllama.v0.5.0.so -l:libggml.v0.5.0.so
  exit
fi
link planner-cuda "$here/cuda/node_modules/@node-llama-cpp/linux-x64-cuda/bins/linux-x64-cuda" -l:libllama.cuda.v0.5.0.so -l:libggml.cuda.v0.5.0.so
library cudart 13 -Wl,--version-script="$here/empty_driver/cudart.map"
library cublas 13 -Wl,--version-script="$here/empty_driver/cublas.map"
library cuda 1

# clip.cpp and its graphs as one unit: headers are read once.
for graph in source/tools/mtmd/models/*.cpp source/tools/mtmd/clip.cpp; do echo "#include \"$graph\""; done >projector_sources.inc
if ! [ projector-cuda -nt "$here/projector.cpp" ]; then
  g++ -O0 -w -std=c++20 -I. -Isource/tools/mtmd -Isource/include -Isource/ggml/include "$here/projector.cpp" -o projector-cuda \
    -L"$here/cuda/node_modules/@node-llama-cpp/linux-x64-cuda/bins/linux-x64-cuda" -l:libllama.cuda.v0.5.0.so -l:libggml.cuda.v0.5.0.so \
    -l:libggml-base.so -ldl -Wl,-rpath,"$here/cuda/node_modules/@node-llama-cpp/linux-x64-cuda/bins/linux-x64-cuda" -Wl,--allow-shlib-undefined
fi
