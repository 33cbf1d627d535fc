// SPDX-License-Identifier: Apache-2.0
#include "weighbridge/dtype.hpp"

namespace weighbridge {

std::optional<DType> dtype_of_torch_name(std::string_view name) {
  if (name.starts_with("torch.")) name.remove_prefix(6);
  if (name == "bfloat16") return dtype::bf16;
  if (name == "float16" || name == "half") return dtype::f16;
  if (name == "float32" || name == "float") return dtype::f32;
  return std::nullopt;
}

}  // namespace weighbridge
