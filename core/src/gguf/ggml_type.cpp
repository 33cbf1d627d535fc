// SPDX-License-Identifier: Apache-2.0
#include "weighbridge/ggml_type.hpp"

#include <array>

namespace weighbridge {

std::optional<DType> ggml_cache_type(std::string_view name) {
  constexpr std::array kTypes{dtype::f32, dtype::f16, dtype::bf16, dtype::q8_0, dtype::q4_0, dtype::q4_1, dtype::q5_0, dtype::q5_1, dtype::iq4_nl};
  for (const DType& type : kTypes)
    if (type.name == name) return type;
  return std::nullopt;
}

}  // namespace weighbridge
