// SPDX-License-Identifier: Apache-2.0
// The peak of one profiled step (GPUModelRunner.profile_run): a dummy batch of max_num_batched_tokens with attention left out, then the
// sampler on min(max_num_seqs, max_num_batched_tokens) rows. The parts do not overlap in time; the largest decides.
#include <algorithm>
#include <array>

#include "engine/formula.hpp"
#include "engine/steps.hpp"
#include "engine/vllm/vllm.hpp"

namespace weighbridge::vllm {

namespace {

constexpr Source kSource{
    "vllm-project/vllm vllm/v1/worker/gpu_model_runner.py (profile_run), vllm/model_executor/layers/fused_moe; bytes a logit from start-up logs",
    "https://github.com/vllm-project/vllm/blob/v0.11.0/vllm/v1/worker/gpu_model_runner.py"};

constexpr std::int64_t kActivationBytes = 2;     // activations are 16 bit
constexpr std::int64_t kFusedMoeChunk = 32768;   // VLLM_FUSED_MOE_CHUNK_SIZE, default
constexpr std::int64_t kLiveHiddenStates = 4;    // residual, normed input, block output, next hidden state
constexpr std::int64_t kKeptHiddenStates = 3;    // beside the sampler's buffers
constexpr std::int64_t kMlaRowsPerRequest = 8;   // vllm/v1/attention/backends/mla/common.py: room for eight full-length requests,
constexpr std::int64_t kMlaPagesPerRequest = 4;  // or four pages of each

/// Small configurations peak at buffers that no part here shows (library workspaces, position and block tables): 0.1 to 0.25 GiB more
/// than the parts were logged at 16 sequences on an A100 (LukeJYK/AutoScientists vllm.log).
constexpr Bytes kUnseen = 256 * kMiB;

FormulaRow sampler_row(const Job& job, const Settings& s, std::int64_t tenths) {
  // Drafted tokens are verified with a row of logits each.
  const std::int64_t rows = std::min(s.max_num_seqs * (1 + s.drafted_tokens), s.max_num_batched_tokens);
  const std::int64_t kept = kKeptHiddenStates * s.max_num_batched_tokens * job.model.hidden_size * kActivationBytes;
  return make_row(job.explain, "sampler",
                  {{"vocab_size", job.model.vocab_size},
                   {"sampled_rows", rows},
                   {"bytes_per_logit_tenths", tenths},
                   {"tenths", 10, Op::divide},
                   {"hidden_states_kept", kept, Op::plus}});
}

/// A stage that samples nothing passes its hidden states on.
FormulaRow hidden_row(const Job& job, const Settings& s) {
  return make_row(job.explain, "stage_hidden_states",
                  {{"hidden_states_4", kLiveHiddenStates * job.model.hidden_size},
                   {"batch_tokens", s.max_num_batched_tokens},
                   {"bytes_per_value", kActivationBytes}});
}

/// The encoder's cache is filled before the language model's step is profiled (profile_run): as many tokens as a step has, or as the largest item
/// (EncoderCacheManager compute_encoder_budget). Qwen3-VL's is a video of 153,600 tokens (logged: Zzsf11/VideoCuttingAgent), and it keeps the
/// outputs of three more layers of the encoder with the last (deepstack).
std::int64_t encoder_cache_bytes(const Model& model, const Settings& s) {
  constexpr std::int64_t video_tokens = 153'600, kept_layers = 4;
  if (!model.vision || !s.encoder) return 0;
  const bool has_videos = model.architecture.starts_with("qwen3_vl");
  const std::int64_t tokens = std::max({s.max_num_batched_tokens, model.vision->tokens_per_image, has_videos ? video_tokens : 0});
  return tokens * model.hidden_size * kActivationBytes * (has_videos ? kept_layers : 1);
}

/// Images of one batch through the encoder, and their outputs, which stay (profile_run: as many images of full size as the batch's tokens
/// hold). Nothing is divided: the encoder may run whole on every rank.
FormulaRow vision_row(const Job& job, const VisionTower& tower, const Settings& s) {
  const std::int64_t images = std::max<std::int64_t>(1, s.max_num_batched_tokens / tower.tokens_per_image);
  return make_row(job.explain, "vision_encoder",
                  {{"ffn_size", tower.ffn_size},
                   {"fc1_and_its_activation", 2},
                   {"hidden_states_4", kLiveHiddenStates * tower.hidden_size, Op::plus},
                   {"patches", tower.patches()},
                   {"images", images},
                   {"bytes_per_value", kActivationBytes},
                   {"encoder_outputs_kept", images * tower.tokens_per_image * job.model.hidden_size * kActivationBytes, Op::plus}});
}

/// What sparse attention reserves in the profiled step and keeps (current_workspace_manager; one room for all that takes turns in it): the keys of
/// 40 prompts for the indexer (vllm/v1/attention/backends/mla/indexer.py get_max_prefill_buffer_size), or what the kernels gather in 16 bits: five
/// prompts where an fp8 cache is unpacked (flashmla_sparse.py), of DeepSeek-V4 four prompts with their window and a step
/// (vllm/models/deepseek_v4/nvidia/flashmla.py). No bytes where attention is not sparse.
std::int64_t sparse_workspace_bytes(const Model& model, const Settings& s) {
  constexpr std::int64_t indexed_prompts = 40, unpacked_prompts = 5, gathered_prompts = 4, top_k_buffer = 1 << 20, alignment = 128;
  std::int64_t most = 0;
  for (const LayerSpec& layer : model.layers.kinds()) {
    if (const auto* latent = std::get_if<LatentAttention>(&layer.mixer); latent != nullptr && latent->indexer.top_k > 0) {
      const std::int64_t keys = indexed_prompts * s.max_model_len / latent->indexer.tokens_per_key;
      most = std::max(most, keys * indexer_key_bytes(latent->indexer) + top_k_buffer);
      const std::int64_t values = latent->kv_lora_rank + latent->qk_rope_head_dim;
      if (s.cache_value_bytes == 1) most = std::max(most, unpacked_prompts * s.max_model_len * values * kActivationBytes);
    }
    const auto* a = std::get_if<CompressedAttention>(&layer.mixer);
    if (a == nullptr) continue;
    const std::int64_t older = a->compress_ratio == 0 ? 0 : ceil_div(s.max_model_len, a->compress_ratio);
    const std::int64_t gathered = gathered_prompts * (older + a->window + s.max_num_batched_tokens) * a->head_dim * kActivationBytes;
    most = std::max(most, gathered + s.max_num_batched_tokens * (ceil_div(a->indexer.top_k + a->window, alignment) * alignment + 1) * 4);
    if (a->indexer.head_dim > 0 && a->compress_ratio > 0)
      most = std::max(most, indexed_prompts * s.max_model_len / a->compress_ratio * indexer_key_bytes(a->indexer) + top_k_buffer);
  }
  return most;
}

bool has_indexer(const Model& model) {
  return std::any_of(model.layers.kinds().begin(), model.layers.kinds().end(), [](const LayerSpec& layer) {
    const auto* latent = std::get_if<LatentAttention>(&layer.mixer);
    const auto* compressed = std::get_if<CompressedAttention>(&layer.mixer);
    return (latent != nullptr && latent->indexer.top_k > 0) || (compressed != nullptr && compressed->indexer.head_dim > 0);
  });
}

/// The profiled step allocates as much as an indexer's logits may take (sparse_attn_indexer.py, VLLM_SPARSE_INDEXER_MAX_LOGITS_MB).
FormulaRow indexer_row(const Job& job, const Settings& s) {
  constexpr std::int64_t logits = std::int64_t{512} << 20;
  const std::int64_t kept = kLiveHiddenStates * s.max_num_batched_tokens * job.model.hidden_size * kActivationBytes;
  return make_row(job.explain, "indexer_logits", {{"bytes", logits}, {"hidden_states_kept", kept, Op::plus}});
}

/// Profiling allocates what the up-projection of the whole workspace would take.
FormulaRow latent_row(const Job& job, const LatentAttention& a, const Settings& s) {
  const std::int64_t kept = kLiveHiddenStates * s.max_num_batched_tokens * job.model.hidden_size * kActivationBytes;
  return make_row(job.explain, "latent_prefill",
                  {{"workspace_tokens", s.mla_workspace_tokens},
                   {"heads_here", ceil_div(a.n_heads, s.tensor)},
                   {"k_and_v_dims", a.qk_nope_head_dim + a.head_dim_v},
                   {"bytes_per_value", kActivationBytes},
                   {"hidden_states_kept", kept, Op::plus}});
}

/// What a real prefill adds beyond the profiled step: K joined with its rotary part, and V padded to K's width where the kernel asks for it.
Bytes unprofiled_prefill(const LatentAttention& a, const Settings& s, int compute_capability) {
  const std::int64_t copies = compute_capability == 90 ? 1 : 2;  // FlashAttention 3 on Hopper takes V as it is
  return value_of({{"workspace_tokens", s.mla_workspace_tokens},
                   {"heads_here", ceil_div(a.n_heads, s.tensor)},
                   {"k_dims", a.qk_nope_head_dim + a.qk_rope_head_dim},
                   {"bytes_per_value", kActivationBytes},
                   {"copies", copies}});
}

/// Logs by the part that decided. sampler: abinavChandar/demo_env_l4, faradawn/bench3, kolyangg/mlops-assignment, LzyFischer/MemSuit;
/// dense_ffn: trietnguyeminh/Submission---EXACT--IJCNN, WaroonRagwongsiri/SuperAi-SS6-Level2-Hack4; routed_experts: LukeJYK/AutoScientists.
int records_of(std::string_view part) {
  if (part == "sampler") return 4;
  if (part == "dense_ffn") return 2;
  return part == "routed_experts" ? 1 : 0;
}

}  // namespace

std::int64_t mla_workspace_tokens(const Settings& s, const Rules& rules) {
  if (s.latent == nullptr) return 0;
  const std::int64_t wanted = std::max(kMlaRowsPerRequest * s.max_model_len, kMlaPagesPerRequest * s.max_num_seqs * s.block_size);
  return std::max(std::min(wanted, rules.most_mla_tokens), s.max_num_seqs * s.block_size);
}

Term compute_term(const Job& job, const Settings& settings, const Rules& rules, const Stage& stage) {
  const Model& model = job.model;
  const LatentAttention* attention = settings.latent;
  const std::int64_t usual = settings.lean_sampler.value_or(rules.sampler_tenths == kLeanSampler) ? kLeanSampler : kTorchSampler;
  std::array<FormulaRow, 6> rows{stage.is_last ? sampler_row(job, settings, usual) : hidden_row(job, settings)};
  std::size_t count = 1;
  if (const std::int64_t ffn_size = largest_dense_ffn(model); ffn_size > 0)
    rows[count++] = dense_step(job.explain, ffn_size, model.hidden_size, settings.tensor, settings.max_num_batched_tokens);
  // Experts that engines share see the tokens of all of them.
  const std::int64_t expert_tokens = std::min(settings.max_num_batched_tokens * settings.data, kFusedMoeChunk);
  if (const MoeFfn* moe = first_moe(model))
    rows[count++] = expert_step(job.explain, *moe, model.hidden_size, settings.split().experts, expert_tokens);
  if (model.vision && settings.encoder && stage.is_first) rows[count++] = vision_row(job, *model.vision, settings);
  if (attention != nullptr) rows[count++] = latent_row(job, *attention, settings);
  if (has_indexer(model)) rows[count++] = indexer_row(job, settings);
  const std::int64_t encoded = stage.is_first ? encoder_cache_bytes(model, settings) : 0;
  for (FormulaRow& row : rows) {
    if (encoded == 0 || row.label == "vision_encoder" || row.label.empty()) continue;
    row.bytes += Bytes(static_cast<std::uint64_t>(encoded));
    if (job.explain) row.factors.push_back({"encoder_outputs_kept", encoded, Op::plus});
  }
  const std::int64_t workspace = sparse_workspace_bytes(model, settings);
  for (FormulaRow& row : rows) {
    if (workspace == 0 || row.label.empty()) continue;
    row.bytes += Bytes(static_cast<std::uint64_t>(workspace));
    if (job.explain) row.factors.push_back({"sparse_workspace", workspace, Op::plus});
  }

  const auto end = rows.begin() + static_cast<std::ptrdiff_t>(count);
  const FormulaRow& largest = choose_largest({rows.begin(), count});
  // Which sampler runs depends on what is installed (FlashInfer or torch), not on the version alone: the band spans both.
  const bool known = settings.lean_sampler.has_value();
  const Bytes kept(static_cast<std::uint64_t>(encoded + workspace));
  Bytes least = known || !stage.is_last ? rows[0].bytes : sampler_row(job, settings, kLeanSampler).bytes + kept;
  Bytes most = (known || !stage.is_last ? rows[0].bytes : sampler_row(job, settings, kTorchSampler).bytes + kept) * 5 / 4;
  for (auto row = rows.begin() + 1; row != end; ++row) {
    least = std::max(least, row->bytes);
    // What an encoder holds beside its feed-forward block is not read from source: 3.3 GiB were logged where this row says 1.5.
    most = std::max(most, row->label == "vision_encoder" ? row->bytes * 5 / 2 : row->bytes + row->bytes / 2);
  }
  Term term;
  term.id = "compute";
  term.basis = Basis::modelled;
  term.records = attention != nullptr ? 0 : records_of(largest.label);  // no log of an MLA model gives its peak
  term.source = kSource;
  term.bytes = largest.bytes;
  term.low = std::min(least, term.bytes) / 4 * 3;
  term.high = std::max(most, term.bytes) + kUnseen;
  if (attention != nullptr) term.high += unprofiled_prefill(*attention, settings, job.scenario.hardware.front().device.compute_capability);
  if (!job.explain) return term;
  term.formula.is_maximum = true;
  term.formula.rows.assign(rows.begin(), end);
  term.formula.config_keys = {"vocab_size", "hidden_size", "intermediate_size"};
  term.formula.note = "largest_step";
  return term;
}

}  // namespace weighbridge::vllm
