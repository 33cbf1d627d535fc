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

std::optional<DType> ggml_type_by_id(std::uint32_t id) {
  constexpr DType removed{"", 0, 0};
  // 4, 5: Q4_2 and Q4_3; 31 to 33: Q4_0_4_4, Q4_0_4_8, Q4_0_8_8; 36 to 38: IQ4_NL_4_4, IQ4_NL_4_8, IQ4_NL_8_8.
  constexpr std::array kTypes{
      dtype::f32,     dtype::f16,   dtype::q4_0,   dtype::q4_1,  removed,      removed,       dtype::q5_0, dtype::q5_1,    dtype::q8_0,
      dtype::q8_1,    dtype::q2_k,  dtype::q3_k,   dtype::q4_k,  dtype::q5_k,  dtype::q6_k,   dtype::q8_k, dtype::iq2_xxs, dtype::iq2_xs,
      dtype::iq3_xxs, dtype::iq1_s, dtype::iq4_nl, dtype::iq3_s, dtype::iq2_s, dtype::iq4_xs, dtype::int8, dtype::int16,   dtype::int32,
      dtype::int64,   dtype::f64,   dtype::iq1_m,  dtype::bf16,  removed,      removed,       removed,     dtype::tq1_0,   dtype::tq2_0,
      removed,        removed,      removed,       dtype::mxfp4, dtype::nvfp4, dtype::q1_0,   dtype::q2_0,
  };
  if (id >= kTypes.size() || kTypes[id].block_size == 0) return std::nullopt;
  return kTypes[id];
}

}  // namespace weighbridge
