// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "engine/formula.hpp"
#include "engine/sglang/sglang.hpp"
#include "engine/weight_sum.hpp"

namespace weighbridge::sglang {

namespace {

constexpr Source kSource{"sgl-project/sglang python/sglang/srt/layers/linear.py, vocab_parallel_embedding.py, moe/fused_moe_triton/layer.py",
                         "https://github.com/sgl-project/sglang/tree/main/python/sglang/srt/layers"};
constexpr Source kDraftSource{"sgl-project/sglang python/sglang/srt/speculative/eagle_worker.py, mem_cache/kv_cache_configurator.py",
                              "https://github.com/sgl-project/sglang/tree/main/python/sglang/srt/speculative"};

/// Decode multiplies with W_UK and W_UV in 16 bit: post_load_weights (deepseek_v2.py, later deepseek_weight_loader.py) lays both out anew, beside
/// kv_b_proj, whether that is quantized or not.
std::int64_t absorbed_elements(const Job& job, const Settings& s, const Stage& stage) {
  std::int64_t elements = 0;
  for_each_latent_up(job, stage, s.attention_ranks(), [&](const Tensor&, std::int64_t held) { elements += held; });
  return elements;
}

/// What DP attention may copy besides: dense blocks and shared experts (`--moe-dense-tp-size 1`, `--moe-a2a-backend deepep`), and the head.
Bytes copied_at_most(const Job& job, const Settings& s, const Stage& stage) {
  Bytes more;
  if (s.groups == 1) return more;
  for (const Tensor& tensor : job.tensors) {
    const bool may_copy = tensor.role == TensorRole::ffn_gate_up || tensor.role == TensorRole::ffn_down ||
                          tensor.role == TensorRole::shared_gate_up || tensor.role == TensorRole::shared_down ||
                          tensor.role == TensorRole::output_head;
    if (!may_copy || tensor.part != ModelPart::text || tensor.is_copy) continue;
    const Tensor held = within(tensor, stage, job.model.tied_embeddings);
    Split copied = s.split();
    copied.dense = copied.attention;
    more += share_of(job.model, held, copied).bytes() - share_of(job.model, held, s.split()).bytes();
  }
  return more;
}

/// DeepSeek-V4's FP4 experts are created in the size that they have, for FlashInfer's and TensorRT-LLM's kernels alike (fp8.py create_weights);
/// gpt-oss's for Triton's with a rank's share in whole 64, at first 32 (mxfp4.py create_weights). Elsewhere as in vLLM.
ExpertPadding padding_of(const Job& job, const Settings& s) {
  ExpertPadding padding = expert_padding(job);
  if (has_fp4_experts(job) || s.triton_experts) padding.hidden_multiple = padding.ffn_multiple = 1;
  if (s.triton_experts) padding.ffn_multiple = 64;
  return padding;
}

/// Triton's kernels take no expert parallel: MXFP4 experts are then kept in 16 bits, without scales (mxfp4.py process_weights_after_loading,
/// upcast_from_mxfp).
Tensor as_kept(Tensor tensor, const Settings& s) {
  const bool is_expert = tensor.role == TensorRole::expert_gate_up || tensor.role == TensorRole::expert_down;
  if (!s.wide_experts || !is_expert) return tensor;
  if (tensor.is_scale) tensor.layers.count = 0;
  tensor.type = dtype::bf16;
  return tensor;
}

/// What of FP4 a rank holds: values, and all block scales.
struct Fp4Parts {
  Bytes values;
  Bytes scales;
  Bytes exponents;  ///< of the scales, those of MXFP4 experts: a byte each
};

Fp4Parts fp4_parts(const Job& job, const Settings& s, const Stage& stage, const ExpertPadding& padding) {
  Fp4Parts parts;
  const auto is_of_fp4 = [](const Tensor& t) { return t.type == dtype::fp4 || t.type == dtype::e2m1_pair || t.type == dtype::e8m0; };
  if (std::none_of(job.tensors.begin(), job.tensors.end(), is_of_fp4)) return parts;
  for (const Tensor& tensor : job.tensors) {
    if (tensor.part != ModelPart::text || tensor.is_copy) continue;
    const bool is_fp4 = tensor.type == dtype::fp4 || tensor.type == dtype::e2m1_pair;
    if (!is_fp4 && !tensor.is_scale) continue;
    const Tensor held = within(tensor, stage, false);
    if (held.copies() == 0) continue;
    const Bytes bytes = share_of(job.model, held, s.split(), padding).bytes();
    (is_fp4 ? parts.values : parts.scales) += bytes;
    const bool is_expert = tensor.role == TensorRole::expert_gate_up || tensor.role == TensorRole::expert_down;
    if (is_expert && tensor.type == dtype::e8m0) parts.exponents += bytes;
  }
  return parts;
}

/// NVFP4's kernels read block scales in an order of their own. quantization/modelopt_quant.py keeps them beside those that were loaded:
/// w13_blockscale_swizzled and w2_blockscale_swizzled of experts, weight_scale_interleaved of the rest. Releases that came later reuse the room.
Bytes swizzled_scales(const Job& job, const Fp4Parts& parts) { return stored_format(job) == "nvfp4" ? parts.scales : Bytes(); }

/// Scales that stay in another layout beside those that kernels read, at most: four bytes each where Marlin may run, which needs no FP4 units.
Bytes repacked_at_most(const Job& job, const Fp4Parts& parts, Bytes counted) {
  if (parts.values == Bytes() || job.scenario.options.serving.moe_runner_backend == "flashinfer_mxfp4") return {};
  const int capability = job.scenario.hardware.front().device.compute_capability;
  const bool has_units = capability / 10 == 10;
  const Bytes most = has_units ? parts.scales : parts.scales + parts.exponents * 3;
  return most - std::min(most, counted);
}

/// Bytes that 16 bits add to an FP8 projection: attn.wo_a of each layer.
Bytes widened_output(const Job& job, const Settings& s, const Stage& stage) {
  Bytes more;
  for (const Tensor& tensor : job.tensors) {
    if (!s.wide_output || tensor.is_scale || tensor.part != ModelPart::text || !tensor.name.ends_with("attn.wo_a.weight")) continue;
    const Tensor held = within(tensor, stage, false);
    if (held.copies() == 0) continue;
    Tensor wide = share_of(job.model, held, s.split());
    const Bytes stored = wide.bytes();
    wide.type = dtype::bf16;
    more += wide.bytes() - std::min(wide.bytes(), stored);
  }
  return more;
}

/// A draft model builds embedding and head anew, in 16 bits, whether its checkpoint has them or not; a tied head is the embedding
/// (models/qwen3_5_mtp.py Qwen3_5ForCausalLMMTP). It takes the model's only once the pool is sized (EagleDraftWorker.init_lm_head,
/// sgl-project/sglang#36452). Here those that are not stored.
Bytes unstored_embeddings(const Job& job, const Settings& s) {
  const auto is_stored = [&](TensorRole role) {
    return std::any_of(job.tensors.begin(), job.tensors.end(), [&](const Tensor& t) { return t.part == ModelPart::mtp && t.role == role; });
  };
  Bytes bytes;
  for (const Tensor& tensor : job.tensors) {
    const bool is_one = tensor.role == TensorRole::embedding || tensor.role == TensorRole::output_head;
    if (!is_one || tensor.part != ModelPart::text || tensor.is_copy || tensor.is_scale || is_stored(tensor.role)) continue;
    Tensor own = share_of(job.model, tensor, s.split());
    own.type = dtype::bf16;
    bytes += own.bytes();
  }
  return bytes;
}

/// Logs whose weights line we met: zufayu/ClaudeSkillsE2EPerf (DeepSeek-R1 in NVFP4 on four B200); sgl-project/sglang#6001 has a shared expert
/// copied eight times, which later releases do not. Dense models: none.
int records_of(const Job& job) { return first_latent_attention(job.model.layers) != nullptr ? 1 : 0; }

}  // namespace

Term weights_term(const Job& job, const Settings& s, const Stage& stage) {
  const ExpertPadding padding = padding_of(job, s);
  WeightSum sum(job.explain);
  Bytes kernel_padding;
  Bytes more_padding;
  Bytes encoder;
  for (const Tensor& tensor : job.tensors) {
    if (tensor.part == ModelPart::mtp || tensor.part == ModelPart::speech || tensor.is_copy) continue;
    const Tensor held = within(as_kept(tensor, s), stage, job.model.tied_embeddings);
    if (held.copies() == 0) continue;
    const Tensor local = share_of(job.model, held, s.split(), padding);
    sum.add(held, local);
    if (s.triton_experts) more_padding += share_of(job.model, held, s.split(), expert_padding(job)).bytes() - local.bytes();
    if (serves_as_values(job, held)) sum.add(held, local);
    if (padding.pads()) kernel_padding += local.bytes() - share_of(job.model, held, s.split()).bytes();
    if (tensor.part == ModelPart::tower) encoder += local.bytes();
  }
  Term term;
  term.id = "weights";
  term.basis = Basis::modelled;
  term.source = kSource;
  term.records = records_of(job);
  term.bytes = sum.bytes();
  if (job.explain) term.formula.rows = sum.rows(s.tensor);
  const auto add = [&](FormulaRow row) {
    if (row.bytes == Bytes()) return;
    term.bytes += row.bytes;
    if (job.explain) term.formula.rows.push_back(std::move(row));
  };
  const std::int64_t absorbed = absorbed_elements(job, s, stage);
  const Fp4Parts fp4 = fp4_parts(job, s, stage, padding);
  const Bytes swizzled = swizzled_scales(job, fp4);
  const Bytes spare = fp4.exponents * static_cast<std::uint64_t>(s.spare_scale_bytes);
  add({"swizzled_scales", {}, swizzled, true});
  add({"spare_scales", {}, spare, true});
  add({"widened_output", {}, widened_output(job, s, stage), true});
  add({"absorbed_kv_b", {{"elements_here", absorbed}, {"bytes_per_element", 2}}, size_of(dtype::bf16, absorbed), true});
  // layers/rotary_embedding.py: f32 on CUDA, the model's 16-bit type elsewhere.
  add(rotary_table_row(job.model, job.scenario.hardware.front().device.backend == "cuda" ? 4 : 2));
  if (job.explain) term.formula.config_keys = {"num_hidden_layers", "hidden_size", "vocab_size", "quantization_config"};

  // Upwards: kernels that lay out anew what they loaded, and what loaders leave in the allocator's hands; few logs bound it.
  term.low = term.bytes - term.bytes / 200 - kernel_padding - swizzled - spare -
             encoder * static_cast<std::uint64_t>(s.tensor - 1) / static_cast<std::uint64_t>(s.tensor);
  term.high = term.bytes + term.bytes / 25 + copied_at_most(job, s, stage) + repacked_at_most(job, fp4, swizzled + spare) + more_padding;
  return term;
}

Term draft_term(const Job& job, const Settings& s, const Rules& rules, const Stage& stage) {
  Term term;
  term.id = "speculation";
  term.basis = Basis::modelled;
  term.source = kDraftSource;
  term.inside_limit = rules.draft_in_budget;
  if (s.draft_layers == 0 || !stage.is_last) return term;
  WeightSum sum(job.explain);
  const ExpertPadding padding = padding_of(job, s);
  for (const Tensor& tensor : job.tensors)
    if (tensor.part == ModelPart::mtp && !tensor.is_copy) sum.add(tensor, share_of(job.model, tensor, s.split(), padding));
  term.bytes = sum.bytes();
  if (job.explain) term.formula.rows = sum.rows(s.tensor);
  if (!rules.draft_in_budget) {
    // Its pool has as many tokens as the model's, and lies beside it.
    const double layers = static_cast<double>(std::max<std::int64_t>(1, stage.end - stage.first));
    const double each = cell_bytes(job.model, s, stage) / layers * static_cast<double>(s.draft_layers);
    const Bytes cache = scaled(Bytes(static_cast<std::uint64_t>(s.held_tokens)), each);
    term.bytes += cache;
    if (job.explain) term.formula.rows.push_back({"draft_cache", {}, cache, true});
  }
  term.low = term.bytes - term.bytes / 50;
  term.high = term.bytes + term.bytes / 5 + 256 * kMiB;
  const Bytes embeddings = rules.draft_in_budget ? unstored_embeddings(job, s) : Bytes();
  if (embeddings == Bytes()) return term;
  term.records = 3;  // sgl-project/sglang#32468, #35996 and #38147: Qwen3.8-27B with 2.57 GiB on each of two GPUs, 5.18 and 5.53 on one
  for (Bytes* bytes : {&term.bytes, &term.low, &term.high}) *bytes += embeddings;
  if (job.explain) term.formula.rows.push_back({"draft_embeddings", {}, embeddings, true});
  return term;
}

}  // namespace weighbridge::sglang
