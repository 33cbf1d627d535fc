// SPDX-License-Identifier: Apache-2.0
#include "weighbridge/dtype.hpp"

#include <array>

#include "weighbridge/ggml_type.hpp"

namespace weighbridge {

std::optional<DType> dtype_of_torch_name(std::string_view name) {
  if (name.starts_with("torch.")) name.remove_prefix(6);
  if (name == "bfloat16") return dtype::bf16;
  if (name == "float16" || name == "half") return dtype::f16;
  if (name == "float32" || name == "float") return dtype::f32;
  return std::nullopt;
}

std::optional<DType> find_dtype(std::string_view name) {
  using namespace dtype;
  constexpr std::array kTypes{
      f32,      f16,           bf16,          fp8,           int8,       int4,       fp4,        e8m0,       q4_0,       q4_1,      q5_0,    q5_1,
      q8_0,     q8_1,          q2_k,          q3_k,          q4_k,       q5_k,       q6_k,       q8_k,       iq1_s,      iq1_m,     iq2_xxs, iq2_xs,
      iq2_s,    iq3_xxs,       iq3_s,         iq4_nl,        iq4_xs,     tq1_0,      tq2_0,      mxfp4,      u8,         e2m1_pair, nf4,     word32,
      nvfp4,    q1_0,          q2_0,          f64,           int16,      int32,      int64,      uint8,      uint16,     uint32,    uint64,  boolean,
      fp8_e5m2, packed_int(2), packed_int(3), packed_int(8), mlx_int(2), mlx_int(3), mlx_int(4), mlx_int(5), mlx_int(6), mlx_int(8)};
  for (const DType& type : kTypes)
    if (type.name == name) return type;
  return std::nullopt;
}

}  // namespace weighbridge
