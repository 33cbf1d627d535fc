// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "engine/formula.hpp"
#include "engine/vllm.hpp"
#include "tensor_layer.hpp"

namespace weighbridge::vllm {

namespace {

constexpr std::int64_t kVocabPadding = 64;  // vllm/model_executor/layers/vocab_parallel_embedding.py: DEFAULT_VOCAB_PADDING_SIZE

constexpr Source kSource{"vllm-project/vllm vllm/model_executor/layers/linear.py, vocab_parallel_embedding.py",
                         "https://github.com/vllm-project/vllm/tree/v0.11.0/vllm/model_executor/layers"};

std::int64_t split(std::int64_t size, std::int64_t ranks) { return ceil_div(size, ranks); }

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

/// A tensor with those of its copies only that `stage` loads; none of what is not loaded at all. A drafting layer shares embedding and head with
/// the model (vllm/v1/spec_decode/eagle.py) and runs on the last stage.
Tensor in_stage(Tensor tensor, const Settings& settings, const Stage& stage, const Model& model) {
  const bool is_shared = tensor.role == TensorRole::embedding || tensor.role == TensorRole::output_head;
  bool is_loaded = !tensor.is_copy;
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

/// Rows of k and v on one rank: whole heads, at least one, so heads are copied once there are more ranks than heads.
std::int64_t split_kv_rows(const Model& model, const Tensor& tensor, std::int64_t ranks) {
  const FullAttention* attention = grouped_attention(layer_of(model, tensor).mixer);
  const std::int64_t heads = attention != nullptr ? attention->n_kv_heads : 1;
  return ceil_div(std::max<std::int64_t>(1, heads / ranks) * tensor.rows, heads);
}

/// Sums of one kind of tensor: over the whole model, and on one rank.
struct Group {
  std::string_view label;
  DType type;
  std::int64_t elements = 0;
  std::int64_t local_elements = 0;
  Bytes local_bytes;
};

/// "total x width / ranks" where that is what happens; else the rank's own count.
FormulaRow explain(const Group& group, std::int64_t ranks) {
  FormulaRow row{group.label, {}, group.local_bytes, true};
  const bool whole_blocks = group.local_elements % group.type.block_size == 0;
  if (!whole_blocks || size_of(group.type, group.local_elements) != group.local_bytes) return row;
  const bool even = ranks > 1 && group.local_elements * ranks == group.elements;
  row.factors.push_back({even || ranks == 1 ? "elements" : (group.elements == group.local_elements ? "elements_copied" : "elements_here"),
                         even ? group.elements : group.local_elements});
  row.factors.push_back({group.type.block_size == 1 ? "bytes_per_element" : "bytes_per_block", group.type.block_bytes});
  if (group.type.block_size > 1) row.factors.push_back({"elements_per_block", group.type.block_size, Op::divide});
  if (even) row.factors.push_back({"tensor_parallel", ranks, Op::divide});
  return row;
}

/// Decode multiplies with W_UK and W_UV in 16 bit: a quantized kv_b_proj is kept a second time, dequantized; a 16-bit one is viewed
/// (vllm/v1/attention/backends/mla/common.py, process_weights_after_loading).
std::int64_t absorbed_elements(const Job& job, const Settings& settings, const Stage& stage) {
  std::int64_t elements = 0;
  for (const Tensor& stored : job.tensors) {
    const Tensor tensor = in_stage(stored, settings, stage, job.model);
    const bool quantized = tensor.role == TensorRole::latent_kv_up && tensor.part == ModelPart::text && !tensor.is_scale &&
                           (tensor.type.block_bytes < 2 * tensor.type.block_size);
    if (quantized) elements += tensor.copies() * split(tensor.rows, settings.tensor) * tensor.cols;
  }
  return elements;
}

/// Logs whose weights line we met, with an address. Dense, 16 bit: vllm-project/vllm#10511, #13061, #17122, Kelsidavis/rusteze,
/// LzyFischer/MemSuit, WaroonRagwongsiri/SuperAi-SS6-Level2-Hack4, abinavChandar/demo_env_l4, faradawn/bench3,
/// jayashan10/Deepseek-qwen-deployment: 0 to -1.2 %. fp8 per channel: apollo-mg/Project-Apollo (-1.4 %); int8: vllm-project/vllm#12569 (0.0 %);
/// int4: joshhickson/LogoMesh (-1.4 %, with zero points that symmetric formats lack). Experts, 16 bit: kolyangg/mlops-assignment (0.0 %),
/// vllm-project/vllm#17469 (0.0 %) and a log of two GPUs (0.0 %); MXFP4: vllm-project/vllm#23278 (-0.1 %). MLA and image encoders: none.
int records_of(const Job& job) {
  const bool quantized = std::any_of(job.tensors.begin(), job.tensors.end(), [](const Tensor& t) { return t.is_scale; });
  const bool latent = first_latent_attention(job.model.layers) != nullptr;
  const bool packed = std::any_of(job.tensors.begin(), job.tensors.end(), [](const Tensor& t) { return t.type == dtype::fp4; });
  if (latent || job.model.vision) return 0;
  if (first_moe(job.model) != nullptr) return quantized ? (packed ? 1 : 0) : 3;
  return quantized ? 1 : 9;
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

/// Models whose positions have three axes get a table four times as long, for videos (rotary_embedding/mrope.py, cache_max_position_num).
bool has_axes(const Model& model) {
  constexpr std::array<std::string_view, 6> kinds{"qwen2_vl", "qwen2_5_vl", "qwen2_5_omni", "qwen3_vl", "qwen3_omni", "qwen3_5"};
  return model.vision && std::any_of(kinds.begin(), kinds.end(), [&](std::string_view kind) { return model.architecture.starts_with(kind); });
}

/// One table of cosines and sines for all layers of one base, not split (vllm/model_executor/layers/rotary_embedding).
FormulaRow rotary_row(const Model& model) {
  // vllm/model_executor/models/gpt_oss.py asks for an f32 table; all others are of the model's 16-bit type.
  const std::int64_t width = model.architecture == "gpt_oss" ? 4 : 2;
  FormulaRow row{"rope_cache",
                 {{"max_position_embeddings", model.max_context_tokens}, {"rotary_dim", model.rotary_dim}, {"bytes_per_element", width}},
                 {},
                 true};
  const std::int64_t tables = model.n_rotary_tables * (has_axes(model) ? 4 : 1);
  if (tables > 1) row.factors.push_back({"rope_tables", tables});
  row.bytes = Bytes(static_cast<std::uint64_t>(model.max_context_tokens * model.rotary_dim * width * tables));
  return row;
}

}  // namespace

std::int64_t padded_vocab(std::int64_t vocab_size) { return ceil_div(vocab_size, kVocabPadding) * kVocabPadding; }

namespace {

/// gptq_marlin.py marlin_repeat_scales_on_all_ranks: where inputs belong to groups in any order, each rank that splits inputs needs all scales.
bool repeats_scales(const Model& model, const Tensor& tensor) {
  return tensor.is_scale && tensor.rows > 1 && tensor.recipe > 0 && model.recipes[static_cast<std::size_t>(tensor.recipe - 1)].activation_order;
}

}  // namespace

Tensor local_part(const Model& model, Tensor tensor, const Split& how, const ExpertPadding& padding) {
  const std::int64_t ranks = how.ranks;
  switch (tensor.role) {
    case TensorRole::embedding:
    case TensorRole::output_head:
      tensor.rows = split(padded_vocab(tensor.rows), ranks);
      break;
    case TensorRole::attention_k:
    case TensorRole::attention_v:
      // The scale grid of a small projection is split like the projection itself.
      tensor.rows = split_kv_rows(model, tensor, ranks);
      break;
    case TensorRole::attention_q:
    case TensorRole::latent_q_up:
    case TensorRole::latent_kv_up:
    case TensorRole::ffn_gate_up:
    case TensorRole::shared_gate_up:
    case TensorRole::attention_sinks:
    case TensorRole::recurrent_in:
    case TensorRole::recurrent_state:
    case TensorRole::layer_embedding:
    case TensorRole::generic:
      tensor.rows = split(tensor.rows, ranks);
      break;
    case TensorRole::attention_output:
    case TensorRole::ffn_down:
    case TensorRole::shared_down:
    case TensorRole::recurrent_out:
      // Input features; a bias or channel scale stays whole.
      if (tensor.cols > 1 && !repeats_scales(model, tensor)) tensor.cols = split(tensor.cols, ranks);
      break;
    case TensorRole::expert_gate_up:
    case TensorRole::expert_down:
      if (!how.whole_experts) return local_expert(tensor, how.expert_ranks, padding);
      tensor.per_layer = ceil_div(tensor.per_layer, how.expert_ranks);
      return local_expert(tensor, 1, padding);
    case TensorRole::norm:
    case TensorRole::router:
    case TensorRole::latent_q_down:
    case TensorRole::latent_kv_down:
    case TensorRole::mtp_projection:
    case TensorRole::position_embedding:
    case TensorRole::indexer:
    case TensorRole::projection:
      break;
    case TensorRole::tower:
      // Qwen's encoders are split like the model (qwen2_vl.py, qwen3_vl.py: blocks and mergers); others are counted whole, the low bound split.
      if (has_axes(model) && tensor.cols > 1 && (contains(tensor.name, ".blocks.") || contains(tensor.name, "merger")))
        tensor.rows = split(tensor.rows, ranks);
      break;
  }
  return tensor;
}

namespace {

/// vllm/model_executor/model_loader/bitsandbytes_loader.py _dequantize_dq: quantized absmax values become f32 when they are loaded.
Tensor as_loaded(Tensor tensor) {
  if (tensor.is_scale && tensor.type == dtype::u8) tensor.type = dtype::f32;
  return tensor;
}

struct Loaded {
  std::vector<Group> groups;
  Bytes expert_padding;  ///< what the expert kernel adds, within the groups
  Bytes encoder;         ///< the image encoder, within the groups
};

Loaded load(const Job& job, const Settings& settings, const Stage& stage) {
  const ExpertPadding padding = expert_padding(job);
  const Split how{settings.tensor, settings.expert_ranks(), settings.expert_parallel};
  Loaded loaded;
  std::vector<Group>& groups = loaded.groups;
  for (const Tensor& stored : job.tensors) {
    const Tensor tensor = in_stage(as_loaded(stored), settings, stage, job.model);
    if (tensor.copies() == 0) continue;
    const Tensor local = local_part(job.model, tensor, how, padding);
    const std::string_view label = row_label(tensor);
    auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return g.label == label && g.type == tensor.type; });
    if (group == groups.end()) group = groups.insert(group, Group{label, tensor.type, 0, 0, {}});
    group->elements += tensor.elements();
    group->local_elements += local.elements();
    group->local_bytes += local.bytes();
    if (tensor.part == ModelPart::tower) loaded.encoder += local.bytes();
    loaded.expert_padding += local.bytes() - local_part(job.model, tensor, how).bytes();
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
  const Split how{settings.tensor, settings.expert_ranks(), settings.expert_parallel};
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

Term weights_term(const Job& job, const Settings& settings, const Stage& stage) {
  Loaded loaded = load(job, settings, stage);
  std::vector<Group>& groups = loaded.groups;
  Term term;
  term.id = "weights";
  term.basis = Basis::modelled;
  term.source = kSource;
  for (const Group& group : groups) {
    term.bytes += group.local_bytes;
    if (job.explain) term.formula.rows.push_back(explain(group, settings.tensor));
  }
  sort_largest_first(term.formula.rows);
  const auto add = [&](FormulaRow row) {
    if (row.bytes == Bytes()) return;
    term.bytes += row.bytes;
    if (job.explain) term.formula.rows.push_back(std::move(row));
  };
  const std::int64_t absorbed = absorbed_elements(job, settings, stage);
  add({"absorbed_kv_b", {{"elements_here", absorbed}, {"bytes_per_element", 2}}, size_of(dtype::bf16, absorbed), true});
  add(rotary_row(job.model));
  if (job.model.architecture.starts_with("qwen3_vl") && settings.encoder && stage.is_first) add(deepstack_row(job, settings));
  if (settings.lora_slots > 0) add(adapters_row(job, settings, stage));
  FormulaRow draft;
  if (settings.drafts_with_eagle && stage.is_last) add(draft = eagle_row(job, settings));
  if (job.explain) term.formula.config_keys = {"num_hidden_layers", "hidden_size", "vocab_size", "quantization_config"};

  // Not every kernel keeps a checkpoint's layout: repacking pads matrices and widens scales (Marlin: one 16-bit scale per row of each block,
  // +1.6 %), the printed figure is a peak that includes the last repacked matrix, and the allocator rounds. Nothing shrinks.
  // Another expert kernel pads less, an encoder that is split over the ranks takes a share of each, and a drafting layer may be smaller.
  term.records = settings.drafts_with_eagle || settings.drafts_with_mtp ? 0 : records_of(job);
  const auto ranks = static_cast<std::uint64_t>(settings.tensor);
  term.low = term.bytes - term.bytes / 200 - loaded.expert_padding - loaded.encoder * (ranks - 1) / ranks - draft.bytes / 2;
  term.high = term.bytes + term.bytes / (term.records > 1 ? 50 : 33) + draft.bytes;
  return term;
}

}  // namespace weighbridge::vllm
