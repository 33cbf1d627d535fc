// SPDX-License-Identifier: Apache-2.0
// Two modules that count models by id and spec: the first, which the page cannot do without, and one with the rules of every engine. One text in, one text out.
#include <emscripten/bind.h>

#include <string>

#include "js_string.hpp"
#include "weighbridge/api.hpp"

namespace {

emscripten::val call(const std::string& request) {
  static weighbridge::Api api;
  return weighbridge::js_string(api.call(request));
}

}  // namespace

EMSCRIPTEN_BINDINGS(weighbridge) { emscripten::function("call", &call); }
