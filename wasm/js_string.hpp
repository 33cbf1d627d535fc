// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <emscripten/emscripten.h>
#include <emscripten/val.h>

#include <string>

namespace weighbridge {

// clang-format off
EM_JS(emscripten::EM_VAL, weighbridge_decode, (const char* text, std::size_t size), {
  return Emval.toHandle(UTF8Decoder.decode(HEAPU8.subarray(text, text + size)));
});
// clang-format on

/// A JavaScript string of UTF-8. What embind makes of a std::string is the same, but it looks for zeros byte by byte, twice, which takes longer than to
/// decode it.
inline emscripten::val js_string(const std::string& text) { return emscripten::val::take_ownership(weighbridge_decode(text.data(), text.size())); }

}  // namespace weighbridge
