// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "engine/formula.hpp"
#include "engine/serving_rules.hpp"
#include "engine/vllm/vllm.hpp"
#include "engine/weight_sum.hpp"
#include "quantize.hpp"

namespace weighbridge::vllm {

namespace {

constexpr Source kSource{"vllm-project/vllm vllm/model_executor/layers/linear.py, vocab_parallel_embedding.py",
                         "https://github.com/vllm-project/vllm/tree/v0.11.0/vllm/model_executor/layers"};

/// Whether what lies outside the layers is loaded by `stage`: embeddings come first, and again last where the head is tied to them; the head
/// and the last norm come last; an encoder feeds the first.
bool is_loaded_by(const Stage& stage, const Tensor& tensor, const Model& model) {
  switch (tensor.role) {
    case TensorRole::embedding:
      return stage.is_first || (stage.is_last && model.tied_embeddings);
    case TensorRole::output_head:
    case TensorRole::norm:
      return tensor.part == ModelPart::tower ? stage.is_first : stage.is_last;
    default:
      return stage.is_first;
  }
}

/// A tensor as it is loaded, with those of its copies only that `stage` loads; none of what is not loaded at all. A drafting layer shares embedding
/// and head with the model (vllm/v1/spec_decode/eagle.py) and runs on the last stage. Quantized absmax values become f32
/// (vllm/model_executor/model_loader/bitsandbytes_loader.py _dequantize_dq).
Tensor in_stage(const Tensor& stored, const Settings& settings, const Stage& stage, const Model& model) {
  Tensor tensor = stored;
  if (tensor.is_scale && tensor.type == dtype::u8) tensor.type = dtype::f32;
  const bool is_shared = tensor.role == TensorRole::embedding || tensor.role == TensorRole::output_head;
  bool is_loaded = !tensor.is_copy && tensor.part != ModelPart::speech;  // vllm/model_executor/models/qwen3_omni_moe_thinker.py
  if (tensor.part == ModelPart::mtp)
    is_loaded = is_loaded && settings.drafts_with_mtp && stage.is_last && !is_shared;
  else if (tensor.part == ModelPart::tower)
    is_loaded = is_loaded && settings.encoder && stage.is_first;
  else if (tensor.layers.first < 0)
    is_loaded = is_loaded && is_loaded_by(stage, tensor, model);
  else if (!stage.is_first || !stage.is_last) {
    std::int64_t count = 0;
    for (std::int64_t i = 0; i < tensor.layers.count; ++i)
      if (stage.holds(tensor.layers.at(i))) ++count;
    tensor.layers.count = count;
  }
  if (!is_loaded) tensor.layers.count = 0;
  return tensor;
}

/// Decode multiplies with W_UK and W_UV in 16 bit: a quantized kv_b_proj is kept a second time, dequantized; a 16-bit one is viewed
/// (vllm/v1/attention/backends/mla/common.py, process_weights_after_loading).
std::int64_t absorbed_elements(const Job& job, const Settings& settings, const Stage& stage) {
  std::int64_t elements = 0;
  for (const Tensor& tensor : job.tensors) {
    const bool quantized = tensor.role == TensorRole::latent_kv_up && tensor.part == ModelPart::text && !tensor.is_scale &&
                           (tensor.type.block_bytes < 2 * tensor.type.block_size);
    if (quantized) elements += in_stage(tensor, settings, stage, job.model).copies() * ceil_div(tensor.rows, settings.tensor) * tensor.cols;
  }
  return elements;
}

/// Logs whose weights line we met, with an address. Dense, 16 bit: vllm-project/vllm#10511, #13061, #17122, Kelsidavis/rusteze,
/// LzyFischer/MemSuit, WaroonRagwongsiri/SuperAi-SS6-Level2-Hack4, abinavChandar/demo_env_l4, faradawn/bench3,
/// jayashan10/Deepseek-qwen-deployment: 0 to -1.2 %. fp8 per channel: apollo-mg/Project-Apollo (-1.4 %); int8: vllm-project/vllm#12569 (0.0 %);
/// int4: joshhickson/LogoMesh (-1.4 %, with zero points that symmetric formats lack). Experts, 16 bit: kolyangg/mlops-assignment (0.0 %),
/// vllm-project/vllm#17469 (0.0 %) and a log of two GPUs (0.0 %); MXFP4: vllm-project/vllm#23278 (-0.1 %). MLA and image encoders: none.
int records_of(const Job& job) {
  if (first_latent_attention(job.model.layers) != nullptr || job.model.vision) return 0;
  const bool quantized = std::any_of(job.tensors.begin(), job.tensors.end(), [](const Tensor& t) { return t.is_scale; });
  const bool packed = std::any_of(job.tensors.begin(), job.tensors.end(), [](const Tensor& t) { return t.type == dtype::fp4; });
  if (first_moe(job.model) != nullptr) return quantized ? (packed ? 1 : 0) : 3;
  return quantized ? 1 : 9;
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

/// Models whose positions have three axes get a table four times as long, for videos (rotary_embedding/mrope.py, cache_max_position_num).
bool has_axes(const Model& model) {
  constexpr std::array<std::string_view, 6> kinds{"qwen2_vl", "qwen2_5_vl", "qwen2_5_omni", "qwen3_vl", "qwen3_omni", "qwen3_5"};
  return model.vision && std::any_of(kinds.begin(), kinds.end(), [&](std::string_view kind) { return model.architecture.starts_with(kind); });
}

/// The part of `tensor` that one rank holds. Qwen's encoders are split like the model (qwen2_vl.py, qwen3_vl.py: blocks and mergers); others are
/// counted whole, the low bound split.
Tensor local_part(const Model& model, const Tensor& tensor, const Split& split, const ExpertPadding& padding = {}) {
  const bool is_split_tower = tensor.role == TensorRole::tower && has_axes(model) && tensor.cols > 1 &&
                              (contains(tensor.name, ".blocks.") || contains(tensor.name, "merger"));
  Tensor local = share_of(model, tensor, split, padding);
  if (is_split_tower) local.rows = ceil_div(tensor.rows, split.dense);
  return local;
}

/// Padding of NVFP4 experts (quantization/utils/flashinfer_fp4_moe.py, prepare_nvfp4_moe_layer_for_fi_or_cutlass): a rank's share of
/// the inner size is filled up to the 128 rows of a tile of scales, which gate and up have together for TensorRT-LLM's kernels (#46880); CUTLASS'
/// take no gated experts that do not fill them. TensorRT-LLM's, the default on 10.x, have the hidden size in 256s (#39510). Nemotron 3 Nano on two
/// RTX 5080 took 9.83 GiB of each (vllm-project/vllm#33333), 0.8 of which is padding from 928 to 1024.
ExpertPadding padding_of(const Job& job) {
  ExpertPadding padding = expert_padding(job);
  const MoeFfn* moe = fp4_experts(job);
  if (moe == nullptr) return padding;
  const bool by_tensorrt_llm = job.scenario.hardware.front().device.compute_capability / 10 == 10;
  padding.ffn_multiple = moe->gated ? (by_tensorrt_llm ? 64 : 1) : 128;
  padding.hidden_multiple = by_tensorrt_llm ? 256 : 1;
  return padding;
}

/// FP8 weights of ROCm that an environment variable can leave as they are (VLLM_ROCM_FP8_PADDING, on; quantization/utils/fp8_utils.py
/// _maybe_pad_fp8_weight): rows of whole 512 bytes get 256 more, where scales are per block or per tensor; not of experts, nor per channel.
void pad_rows(const Job& job, Tensor& tensor) {
  if (is_expert(tensor.role) || tensor.is_scale || tensor.cols % 512 != 0 || !(tensor.type == dtype::fp8)) return;
  const bool pads = tensor.recipe == 0
                        ? job.scenario.weights_format == "fp8-block"
                        : job.model.recipes[static_cast<std::size_t>(tensor.recipe - 1)].quantization != WeightQuantization::fp8_per_channel;
  if (pads) tensor.cols += 256;
}

struct Loaded {
  WeightSum sum;
  Bytes padding;  ///< what kernels add, within the sum
  Bytes encoder;  ///< the image encoder, within the sum
};

Loaded load(const Job& job, const Settings& settings, const Stage& stage) {
  const ExpertPadding padding = padding_of(job);
  const bool is_rocm = job.scenario.hardware.front().device.backend == "rocm";
  const Split how = settings.split();
  Loaded loaded{WeightSum(job.explain), {}, {}};
  for (const Tensor& stored : job.tensors) {
    const Tensor tensor = in_stage(stored, settings, stage, job.model);
    if (tensor.copies() == 0) continue;
    Tensor local = local_part(job.model, tensor, how, padding);
    if (is_rocm) pad_rows(job, local);
    loaded.sum.add(tensor, local);
    if (serves_as_values(job, tensor)) loaded.sum.add(tensor, local);
    if (tensor.part == ModelPart::tower) loaded.encoder += local.bytes();
    if (is_rocm || padding.pads()) loaded.padding += local.bytes() - local_part(job.model, tensor, how).bytes();
  }
  return loaded;
}

/// What three layers of the encoder hand to three of the model waits in buffers of a whole step (vllm/model_executor/models/qwen3_vl.py,
/// deepstack_input_embeds).
FormulaRow deepstack_row(const Job& job, const Settings& settings) {
  return make_row(job.explain, "deepstack_inputs",
                  {{"layers", 3}, {"batch_tokens", settings.max_num_batched_tokens}, {"hidden_size", job.model.hidden_size}, {"bytes_per_value", 2}});
}

/// A drafting layer of EAGLE beside the model: attention and a feed-forward block like the model's own, what joins its two or three inputs, and
/// a head of its own for 32,000 tokens (vllm/model_executor/models/llama_eagle3.py). Its weights are not part of the model's checkpoint.
FormulaRow eagle_row(const Job& job, const Settings& settings) {
  constexpr std::int64_t joined = 3, head_rows = 32'000;
  const std::int64_t hidden = job.model.hidden_size;
  const FullAttention* a = first_grouped_attention(job.model.layers);
  const std::int64_t heads = a == nullptr ? 2 * hidden : a->n_heads * a->head_dim_k * 3 + 2 * a->n_kv_heads * (a->head_dim_k + a->head_dim_v);
  const std::int64_t ffn = largest_dense_ffn(job.model) > 0 ? largest_dense_ffn(job.model) : 4 * hidden;
  return make_row(
      job.explain, "draft_layer",
      {{"hidden_size", hidden}, {"draft_rows", ceil_div(heads + 3 * ffn + head_rows, settings.tensor) + joined * hidden}, {"bytes_per_element", 2}});
}

}  // namespace

FormulaRow adapters_row(const Job& job, const Settings& settings, const Stage& stage) {
  // vllm/lora/layers create_lora_weights: A [rank, inputs] and B [outputs, rank] of every linear layer for each slot, whatever an adapter has;
  // A whole on every rank of a column-parallel layer, B of a row-parallel one; of the embedding and the head, all rows.
  std::int64_t width = 0;
  const Split how = settings.split();
  for (const Tensor& stored : job.tensors) {
    const Tensor tensor = in_stage(stored, settings, stage, job.model);
    if (tensor.is_scale || tensor.cols == 1 || tensor.part != ModelPart::text || tensor.copies() == 0) continue;
    switch (tensor.role) {
      case TensorRole::norm:
      case TensorRole::router:
      case TensorRole::recurrent_state:
      case TensorRole::position_embedding:
      case TensorRole::layer_embedding:
      case TensorRole::indexer:
        continue;
      case TensorRole::embedding:
      case TensorRole::output_head:
        width += tensor.rows + tensor.cols;
        continue;
      default:
        break;
    }
    const Tensor local = local_part(job.model, tensor, how);
    // Fused matrices (q, k and v; gate and up) have an A each.
    width += local.copies() * (local.rows + std::max<std::int64_t>(1, tensor.shards) * local.cols);
  }
  if (job.model.tied_embeddings && stage.is_last) width += job.model.vocab_size + job.model.hidden_size;
  return make_row(job.explain, "lora_slots",
                  {{"adapter_width", width}, {"adapter_rank", settings.lora_rank}, {"adapter_slots", settings.lora_slots}, {"bytes_per_element", 2}});
}

bool keeps_deepstack(const Model& model, const Settings& settings) { return model.architecture.starts_with("qwen3_vl") && settings.encoder; }

Term weights_term(const Job& job, const Settings& settings, const Stage& stage) {
  const Loaded loaded = load(job, settings, stage);
  Term term;
  term.id = "weights";
  term.basis = Basis::modelled;
  term.source = kSource;
  term.bytes = loaded.sum.bytes();
  if (job.explain) term.formula.rows = loaded.sum.rows(settings.tensor);
  const auto add = [&](FormulaRow row) {
    if (row.bytes == Bytes()) return;
    term.bytes += row.bytes;
    if (job.explain) term.formula.rows.push_back(std::move(row));
  };
  const std::int64_t absorbed = absorbed_elements(job, settings, stage);
  add({"absorbed_kv_b", {{"elements_here", absorbed}, {"bytes_per_element", 2}}, size_of(dtype::bf16, absorbed), true});
  // vllm/model_executor/models/gpt_oss.py asks for an f32 table; all others are of the model's 16-bit type.
  add(rotary_table_row(job.model, job.model.architecture == "gpt_oss" ? 4 : 2, has_axes(job.model) ? 4 : 1));
  if (keeps_deepstack(job.model, settings) && stage.is_first) add(deepstack_row(job, settings));
  if (settings.lora_slots > 0) add(adapters_row(job, settings, stage));
  FormulaRow draft;
  if (settings.drafts_with_eagle && stage.is_last) add(draft = eagle_row(job, settings));
  if (settings.draft != nullptr && stage.is_last) add(serving_rules().drafts->weights(job, settings));
  if (job.explain) term.formula.config_keys = {"num_hidden_layers", "hidden_size", "vocab_size", "quantization_config"};

  // Not every kernel keeps a checkpoint's layout: repacking pads matrices and widens scales (Marlin: one 16-bit scale per row of each block,
  // +1.6 %), the printed figure is a peak that includes the last repacked matrix, and the allocator rounds: 26 matrices of 15.2 MiB in segments of
  // 16 are the 1.1 % of Gemma 3 1B. Nothing shrinks.
  // Another expert kernel pads less, an encoder that is split over the ranks takes a share of each, and a drafting layer may be smaller.
  term.records = settings.drafts_with_eagle || settings.drafts_with_mtp || settings.draft != nullptr ? 0 : records_of(job);
  const auto ranks = static_cast<std::uint64_t>(settings.tensor);
  term.low = term.bytes - term.bytes / 200 - loaded.padding - loaded.encoder * (ranks - 1) / ranks - draft.bytes / 2;
  term.high = term.bytes + term.bytes / (term.records > 1 ? 50 : 33) + draft.bytes;
  return term;
}

}  // namespace weighbridge::vllm
