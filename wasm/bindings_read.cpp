// SPDX-License-Identifier: Apache-2.0
// The module that does all: the rules of every engine, and the readers of files. Loaded when someone brings a file.
#include <emscripten/bind.h>

#include <memory>
#include <string>

#include "js_string.hpp"
#include "weighbridge/api.hpp"

namespace {

weighbridge::Api& api() {
  static weighbridge::Api instance(weighbridge::reading());
  return instance;
}

emscripten::val call(const std::string& request) { return weighbridge::js_string(api().call(request)); }

/// A double holds every whole number that a size or an offset may be; anything else becomes one that the core refuses.
std::int64_t whole(double number) {
  constexpr double most = 9007199254740992.0;  // 2^53
  return number >= -most && number <= most ? static_cast<std::int64_t>(number) : INT64_MIN;
}

/// `bytes` is a Uint8Array. It is copied once, as a whole, into memory that nothing was written to: filling a vector takes longer than reading it.
emscripten::val push(double handle, const std::string& file, double size, double offset, const emscripten::val& bytes) {
  const auto length = bytes["length"].as<std::size_t>();
  const std::unique_ptr<char[]> piece(new char[length]);
  emscripten::val(emscripten::typed_memory_view(length, reinterpret_cast<std::uint8_t*>(piece.get()))).call<void>("set", bytes);
  return weighbridge::js_string(api().push(whole(handle), file, whole(size), whole(offset), {piece.get(), length}));
}

}  // namespace

EMSCRIPTEN_BINDINGS(weighbridge) {
  emscripten::function("call", &call);
  emscripten::function("push", &push);
}
