// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <numeric>

#include "engine/cached_token.hpp"
#include "engine/formula.hpp"
#include "engine/recurrent.hpp"
#include "engine/steps.hpp"
#include "engine/tensorrt_llm/tensorrt_llm.hpp"
#include "engine/weight_sum.hpp"

namespace weighbridge::tensorrt_llm {

namespace {

constexpr Source kWeightSource{"NVIDIA/TensorRT-LLM tensorrt_llm/_torch/modules (linear.py, attention.py, fused_moe, gated_mlp.py)",
                               "https://github.com/NVIDIA/TensorRT-LLM/tree/main/tensorrt_llm/_torch/modules"};
constexpr Source kCacheSource{"NVIDIA/TensorRT-LLM tensorrt_llm/_torch/pyexecutor/_util.py, resource_manager.py",
                              "https://github.com/NVIDIA/TensorRT-LLM/blob/main/tensorrt_llm/_torch/pyexecutor/_util.py"};
constexpr Source kOutsideSource{
    "\"Memory used outside torch\" in start-up logs: 2.5 GiB on one H200, 4.1 to 4.3 on one B200 or B300, 6.8 to 13.4 (half of them above "
    "10.5) for DeepSeek-R1 on four and eight B200 or B300",
    "https://github.com/zufayu/ClaudeSkillsE2EPerf"};

constexpr std::int64_t kDeepGemmTokens = 18688;  // fused_moe_deepgemm.py, default of moe_max_num_tokens with attention of its own

/// Copies of kv_b_proj that decode multiplies with: its two halves transposed, and on Blackwell in 16 bit besides (modules/attention.py, MLA).
std::int64_t absorbed_bytes(const Job& job, const Settings& s, const Stage& stage) {
  std::int64_t bytes = 0;
  for_each_latent_up(job, stage, s.attention_ranks(), [&](const Tensor& tensor, std::int64_t held) {
    bytes += held * (tensor.type.block_bytes < 2 * tensor.type.block_size ? 3 : 2);
  });
  return bytes;
}

std::int64_t aligned(std::int64_t value, std::int64_t to) { return ceil_div(value, to) * to; }

bool is_expert_scale(const Tensor& tensor) {
  return tensor.is_scale && (tensor.role == TensorRole::expert_gate_up || tensor.role == TensorRole::expert_down);
}

/// What DeepGEMM's experts keep for `rows` tokens of a step: places for all of them at every expert of the rank, as FP8 and as 16 bit, and a scale
/// for 128 values of the first (fused_moe/fused_moe_deepgemm.py get_workspace). It is allocated in the warm-up, before the engine prints what it loaded.
FormulaRow expert_workspace(const Job& job, const Settings& s, const MoeFfn& moe, std::int64_t rows) {
  const std::int64_t wide = std::max(job.model.hidden_size, moe.moe_ffn_size / s.expert_ranks());
  const std::int64_t product = std::max(job.model.hidden_size, 2 * moe.moe_ffn_size / s.expert_ranks());
  return make_row(job.explain, "expert_workspace",
                  {{"experts_of_a_rank", moe.n_experts / s.expert_groups},
                   {"batch_tokens", aligned(rows, 128)},
                   {"bytes_per_expert_and_token", wide + 2 * product + aligned(ceil_div(wide, 128), 4)}});
}

/// Its scales on 10.x: a byte for 128 values of each row, in fours, where a checkpoint has a float for 128 rows
/// (quantization.py DeepSeekFP8BlockScalesFusedMoEMethodDeepGemm, transform_sf_into_required_layout).
std::int64_t packed_scale_bytes(const Job& job, const Settings& s, const Stage& stage, const MoeFfn& moe) {
  if (job.scenario.hardware.front().device.compute_capability / 10 != 10) return 0;
  const auto count = [](const auto& layers, auto holds) {
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < layers.size(); ++i) sum += holds(static_cast<std::int64_t>(i)) && std::holds_alternative<MoeFfn>(layers[i].ffn);
    return sum;
  };
  const std::int64_t layers = count(job.model.layers, [&](std::int64_t i) { return stage.holds(i); }) +
                              count(job.model.mtp_layers, [&](std::int64_t) { return s.draft_layers > 0 && stage.is_last; });
  const std::int64_t inner = moe.moe_ffn_size / s.expert_ranks();
  const std::int64_t hidden = job.model.hidden_size;
  const std::int64_t expert = 2 * inner * aligned(ceil_div(hidden, 128), 4) + hidden * aligned(ceil_div(inner, 128), 4);
  return layers * (moe.n_experts / s.expert_groups) * expert;
}

/// What a rank holds of `tensor`. Of models with latent attention each rank has the whole embedding (modeling_deepseekv3.py DeepseekV3Model).
Tensor held_by_rank(const Job& job, const Settings& s, const Tensor& tensor, const ExpertPadding& padding) {
  const bool is_latent = first_latent_attention(job.model.layers) != nullptr;
  if (tensor.role == TensorRole::embedding && is_latent) return tensor;
  Split split = s.split();
  // Their dense blocks are not split over more than a machine (DeepseekV3DecoderLayer._compute_mlp_tp_size).
  const bool is_dense = tensor.role == TensorRole::ffn_gate_up || tensor.role == TensorRole::ffn_down;
  if (is_latent && is_dense && split.dense > s.node_devices) split.dense = std::gcd(split.dense, s.node_devices);
  return share_of(job.model, tensor, split, padding);
}

/// Prediction layers look up and multiply with the model's own embedding and head (DeepseekV3MTP).
bool is_left_out(const Settings& s, const Stage& stage, const Tensor& tensor) {
  if (tensor.part != ModelPart::mtp) return tensor.is_copy || tensor.part == ModelPart::speech;
  return tensor.is_copy || s.draft_layers == 0 || !stage.is_last || tensor.role == TensorRole::embedding || tensor.role == TensorRole::output_head;
}

}  // namespace

Term weights_term(const Job& job, const Settings& s, const Stage& stage) {
  const ExpertPadding padding = expert_padding(job);
  const MoeFfn* moe = s.deep_gemm ? first_moe(job.model) : nullptr;
  WeightSum sum(job.explain);
  Bytes kernel_padding;
  for (const Tensor& tensor : job.tensors) {
    if (is_left_out(s, stage, tensor)) continue;
    const Tensor held = tensor.part == ModelPart::mtp ? tensor : within(tensor, stage, job.model.tied_embeddings);
    if (held.copies() == 0) continue;
    if (moe != nullptr && is_expert_scale(tensor) && packed_scale_bytes(job, s, stage, *moe) > 0) continue;
    const Tensor local = held_by_rank(job, s, held, padding);
    sum.add(held, local);
    if (padding.pads()) kernel_padding += local.bytes() - held_by_rank(job, s, held, {}).bytes();
  }
  Term term;
  term.id = "weights";
  term.basis = Basis::modelled;
  term.source = kWeightSource;
  term.records = 2;  // faradawn/bench3 (Llama 3 8B on H200), zufayu/ClaudeSkillsE2EPerf (DeepSeek-R1 on B200)
  term.bytes = sum.bytes();
  if (job.explain) term.formula.rows = sum.rows(s.tensor);
  const auto add = [&](FormulaRow row) {
    if (row.bytes == Bytes()) return;
    term.bytes += row.bytes;
    if (job.explain) term.formula.rows.push_back(std::move(row));
  };
  add({"absorbed_kv_b", {}, Bytes(static_cast<std::uint64_t>(absorbed_bytes(job, s, stage))), true});
  add(rotary_table_row(job.model, 4));
  Bytes workspace_below;
  Bytes workspace_above;
  if (moe != nullptr) {
    add({"packed_scales", {}, Bytes(static_cast<std::uint64_t>(packed_scale_bytes(job, s, stage, *moe))), true});
    // With attention of its own a rank's experts see the tokens of all ranks, in parts of at most so many, or twice as many at once.
    const std::int64_t rows = s.batch_tokens * (s.copies_attention ? s.tensor : 1);
    const std::int64_t most = s.copies_attention ? std::min(rows, kDeepGemmTokens) : rows;
    FormulaRow workspace = expert_workspace(job, s, *moe, most);
    workspace_below = workspace.bytes - expert_workspace(job, s, *moe, ceil_div(rows, ceil_div(rows, most))).bytes;
    workspace_above = expert_workspace(job, s, *moe, std::min(rows, 2 * most)).bytes - workspace.bytes;
    add(std::move(workspace));
  }
  if (job.explain) term.formula.config_keys = {"num_hidden_layers", "hidden_size", "vocab_size", "quantization_config"};
  term.low = term.bytes - term.bytes / 33 - kernel_padding -
             workspace_below;  // kernels pad less than those of others: gpt-oss-120b had 64.1 and 65.4 GiB
  term.high = term.bytes + term.bytes / 25 + workspace_above;
  return term;
}

std::int64_t token_bytes(const Model& model, const Settings& s, const Stage& stage) {
  std::vector<std::int64_t> each;  // of each kind of layer
  for (const LayerSpec& spec : model.layers.kinds())
    each.push_back(spec.shares_cache ? 0 : cached_bytes(spec.mixer, {s.cache_halves, false}, s.attention_ranks()));
  std::int64_t bytes = 0;
  for (std::int64_t layer = stage.first; layer < stage.end; ++layer) bytes += each[model.layers.kind_of(static_cast<std::size_t>(layer))];
  return bytes;
}

Term cache_term(const Job& job, const Settings& s, const Stage& stage) {
  const std::int64_t each = token_bytes(job.model, s, stage);
  FormulaRow row = make_row(job.explain, "full_sequences", {{"kv_bytes_here", each}, {"pool_tokens", s.held_tokens}});
  Term term;
  term.id = "kv_cache";
  term.basis = Basis::exact;
  term.source = kCacheSource;
  term.records = 2;
  term.bytes = term.low = term.high = row.bytes;
  // What caches less behind a window has a pool of the same size.
  if (!job.explain) return term;
  term.formula.rows.push_back(std::move(row));
  const bool latent = first_latent_attention(job.model.layers) != nullptr;
  term.formula.note = cache_note(job, s.cache_halves == 2, latent, s.attention_ranks());
  if (latent)
    term.formula.config_keys = {"num_hidden_layers", "kv_lora_rank", "qk_rope_head_dim"};
  else
    term.formula.config_keys = {"num_hidden_layers", "num_key_value_heads", "head_dim"};
  return term;
}

Term state_term(const Job& job, const Settings& s, const Stage& stage) {
  Term term;
  term.id = "recurrent_state";
  term.basis = Basis::modelled;
  term.source = kCacheSource;
  const std::int64_t ranks = s.attention_ranks();
  for (const RecurrentRun& run : recurrent_runs(job.model, [&](std::size_t layer) { return stage.holds(static_cast<std::int64_t>(layer)); })) {
    const RecurrentMixer& mixer = *run.mixer;
    const std::int64_t kept = run.layers * s.requests;
    const std::int64_t convolution = ceil_div(mixer.conv_channels, ranks) * std::max<std::int64_t>(0, mixer.conv_kernel - 1) * 2;
    FormulaRow row = make_row(job.explain, "recurrent_layers",
                              {{"state_values", ceil_div(mixer.state_values, ranks)},
                               {"bytes_per_value", 4},
                               {"convolution_bytes", convolution, Op::plus},
                               {"layers_x_sequences", kept}});
    term.bytes += row.bytes;
    if (job.explain) term.formula.rows.push_back(std::move(row));
  }
  term.low = term.bytes / 2;            // states of 16 bits
  term.high = term.bytes + term.bytes;  // snapshots for block reuse
  return term;
}

/// The dry run: prompts of `max_num_tokens` tokens in all.
Term compute_term(const Job& job, const Settings& s) {
  const Model& model = job.model;
  const std::int64_t groups = s.copies_attention ? s.tensor : 1;
  std::vector<FormulaRow> rows;
  rows.push_back(
      make_row(job.explain, "sampler",
               {{"vocab_size", model.vocab_size}, {"sampled_rows", s.requests}, {"bytes_per_logit", 10}, {"hidden_states_kept", 0, Op::plus}}));
  add_feed_forward_steps(job.explain, model, {s.split().dense, s.batch_tokens, s.expert_ranks(), ceil_div(s.batch_tokens * groups, s.expert_groups)},
                         rows);
  Term term = largest_step_term(job.explain, std::move(rows), kCacheSource);
  term.records = 2;
  term.low = term.bytes / 16;  // 0.14 to 2.6 GiB were logged
  term.high = 2 * term.bytes + kGiB;
  return term;
}

Term outside_term(const Job& job, const Settings& s) {
  constexpr auto tenths = [](std::uint64_t tenths_of_gib) { return tenths_of_gib * (kGiB / 10); };
  const Device& device = job.scenario.hardware.front().device;
  const bool server = device.compute_capability == 0 || device.compute_capability / 10 >= 9;
  const bool blackwell = device.compute_capability == 0 || device.compute_capability >= 100;
  Term term;
  term.id = "overhead";
  term.basis = Basis::modelled;
  term.records = 2;
  term.source = kOutsideSource;
  if (s.tensor * s.pipeline == 1) {
    term.bytes = tenths(blackwell ? 42 : 25);
    term.low = tenths(server ? 22 : 5);
    term.high = tenths(blackwell ? 55 : 45);
  } else {
    term.bytes = tenths(s.tensor > 2 ? 105 : 55);
    term.low = tenths(server ? 40 : 10);
    term.high = tenths(134) + network_buffers(job.scenario.parallel.nodes);
  }
  if (!s.graphs) term.low = term.low / 2;
  if (job.explain) term.formula.rows.push_back({"outside_torch", {}, term.bytes, true});
  return term;
}

}  // namespace weighbridge::tensorrt_llm
