// SPDX-License-Identifier: Apache-2.0
// vllm/model_executor/layers/quantization/mxfp4.py (Mxfp4MoEMethod.create_weights) and vllm/model_executor/layers/fused_moe/layer.py. gpt-oss-120b:
// 60.8 GiB of checkpoint became 65.97 GiB on one H100 (vllm-project/vllm#23278, Marlin).
#include "engine/expert_padding.hpp"

#include <algorithm>

#include "quantize.hpp"

namespace weighbridge {

namespace {

constexpr std::int64_t kMxfp4Block = 32;  // input elements of one scale; ranks get whole blocks
constexpr std::int64_t kNvfp4Block = 16;

std::int64_t round_up(std::int64_t value, std::int64_t multiple) { return ceil_div(value, multiple) * multiple; }

/// MXFP4: whole blocks of moe_ffn_size for each rank, then both sides padded. `unit` = elements that one entry of `size` stands for.
std::int64_t packed_share(std::int64_t size, std::int64_t unit, std::int64_t ranks, std::int64_t multiple) {
  const std::int64_t share = ceil_div(ceil_div(size * unit, kMxfp4Block), ranks) * kMxfp4Block;
  return round_up(share, multiple) / unit;
}

}  // namespace

ExpertPadding expert_padding(const Job& job) {
  const Device& device = job.scenario.hardware.front().device;
  ExpertPadding padding;
  padding.packed = std::any_of(job.tensors.begin(), job.tensors.end(), [](const Tensor& t) { return is_expert(t.role) && t.type == dtype::fp4; });
  padding.extra_columns = !padding.packed && device.backend == "rocm";
  if (!padding.packed) return padding;
  // Marlin pads 256 x 128; FlashInfer's kernels for 10.x pad 256 x 256 and ROCm's up to that, as does a card we do not know.
  // Triton, where it is installed, pads less: the low bound.
  const bool wide = device.compute_capability == 0 || device.compute_capability / 10 == 10;
  padding.hidden_multiple = 256;
  padding.ffn_multiple = wide ? 256 : 128;
  return padding;
}

void cut_expert(Tensor& tensor, std::int64_t ranks, const ExpertPadding& padding) {
  const bool is_vector = tensor.cols == 1 && !tensor.is_scale;
  const bool is_down = tensor.role == TensorRole::expert_down;
  if (padding.packed) {
    const std::int64_t unit = tensor.is_scale ? kMxfp4Block : 1;
    if (is_down) {
      tensor.rows = round_up(tensor.rows, padding.hidden_multiple);
      if (!is_vector) tensor.cols = packed_share(tensor.cols, unit, ranks, padding.ffn_multiple);
    } else {
      tensor.rows = packed_share(tensor.rows, 1, ranks, padding.ffn_multiple);
      if (!is_vector) tensor.cols = round_up(tensor.cols * unit, padding.hidden_multiple) / unit;
    }
    return;
  }
  if (!is_down) tensor.rows = ceil_div(tensor.rows, ranks);
  if (tensor.cols > 1) {  // a bias or channel scale of inputs stays whole
    const std::int64_t unit = tensor.is_scale ? kNvfp4Block : 1;
    if (is_down) tensor.cols = ceil_div(tensor.cols, ranks);
    tensor.rows = round_up(tensor.rows, is_down ? padding.hidden_multiple : padding.ffn_multiple);
    tensor.cols = round_up(tensor.cols * unit, is_down ? padding.ffn_multiple : padding.hidden_multiple) / unit;
  }
  const bool pads = padding.extra_columns && !is_vector && !tensor.is_scale && size_of(tensor.type, 1) == Bytes(2) && tensor.cols % 256 == 0;
  if (pads) tensor.cols += 128;
}

}  // namespace weighbridge
