// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "key_reader.hpp"
#include "read/tensor_list.hpp"

namespace weighbridge {

/// DeepSeek's image encoder (vllm-project/vllm vllm/models/deepseek_v4/common/vision.py), with one position rotated by height and width.
struct DeepseekVit {
  VisionTower tower;
  std::int64_t merge = 3;  ///< patches a side that become one token
};

/// The sizes in `vision_config`; what it leaves out is as in DeepSeek-V4.1-Flash.
[[nodiscard]] DeepseekVit read_deepseek_vit(KeyReader& vision);
/// The encoder, what takes its patches to `hidden`, and three learned delimiters.
void add_deepseek_vit(TensorList& tensors, const DeepseekVit& vit, std::int64_t hidden);

}  // namespace weighbridge
