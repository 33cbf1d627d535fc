// SPDX-License-Identifier: Apache-2.0
// The second module: all that the first one does, and the readers of files. Loaded when someone brings a file.
#include <emscripten/bind.h>

#include <string>

#include "weighbridge/api.hpp"

namespace {

std::string call(const std::string& request) {
  static weighbridge::Api api(weighbridge::reading());
  return api.call(request);
}

}  // namespace

EMSCRIPTEN_BINDINGS(weighbridge) { emscripten::function("call", &call); }
