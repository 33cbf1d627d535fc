// SPDX-License-Identifier: Apache-2.0
// The whole boundary between JavaScript and the core: one text in, one text out.
#include <emscripten/bind.h>

#include <string>

#include "weighbridge/api.hpp"

namespace {

std::string call(const std::string& request) {
  static weighbridge::Api api;
  return api.call(request);
}

}  // namespace

EMSCRIPTEN_BINDINGS(weighbridge) { emscripten::function("call", &call); }
