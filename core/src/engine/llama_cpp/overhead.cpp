// SPDX-License-Identifier: Apache-2.0
// What the engine's plan does not show: the driver's context, the CUDA backend's pool, and the host's share.
#include <algorithm>

#include "engine/formula.hpp"
#include "engine/llama_cpp/stages.hpp"

namespace weighbridge::llama_cpp {

namespace {

constexpr Source kContextSource{
    "free memory before any model in public start-up logs: 195 to 236 MiB taken on CUDA cards of 16 and 22 GiB, 264 to 625 on larger ones, the least "
    "of them by llama.cpp itself; 10 to 338 under ROCm; none found for Metal and Vulkan",
    "https://github.com/ollama/ollama/issues/17482"};
constexpr Source kPoolSource{
    "ggml-org/llama.cpp v0.5.0 ggml/src/ggml-cuda (pool of 2 MiB pages; quantized activations, 16-bit scores), decoded batches of ten models",
    "https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-cuda/ggml-cuda.cu"};
constexpr Source kVulkanSource{
    "ggml-org/llama.cpp v0.5.0 ggml/src/ggml-vulkan/ggml-vulkan.cpp, ggml_vk_preallocate_buffers: grows with what products and attention ask for; "
    "read, not measured",
    "https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-vulkan/ggml-vulkan.cpp"};
constexpr Source kOutputSource{"ggml-org/llama.cpp v0.5.0 src/llama-context.cpp, output_reserve: one row of logits per output",
                               "https://github.com/ggml-org/llama.cpp/blob/master/src/llama-context.cpp"};

constexpr std::int64_t kFloat = 4;

struct Context {
  Bytes usual, low, high;
  int records = 0;
};

Context context_of(const Device& device) {
  if (device.backend == "rocm") return {338 * kMiB, 10 * kMiB, 768 * kMiB, 3};
  // Not logged by anyone we know of: what a driver may well take.
  if (device.backend == "metal") return {64 * kMiB, Bytes(), 512 * kMiB, 0};
  if (device.backend == "vulkan") return {128 * kMiB, Bytes(), 512 * kMiB, 0};
  const bool large = device.runtime_bytes >= 23 * kGiB;
  return {large ? 512 * kMiB : 236 * kMiB, large ? 150 * kMiB : 100 * kMiB, 640 * kMiB, 14};
}

/// Values of one token in the widest input of a matrix product, which is quantized for the kernel.
std::int64_t widest_input(const Model& model) {
  std::int64_t widest = std::max(model.hidden_size, largest_dense_ffn(model));
  if (const MoeFfn* moe = first_moe(model)) widest = std::max(widest, moe->n_experts_used * std::max(model.hidden_size, moe->moe_ffn_size));
  return widest;
}

Bytes in_pages(Bytes bytes) { return (bytes + 2 * kMiB - Bytes(1)) / (2 * kMiB).count() * (2 * kMiB).count(); }

/// 16-bit copies of scores, and of MLA's queries, that cuBLAS multiplies when there is no flash attention.
FormulaRow scores_row(const Job& job, const Settings& s) {
  const LatentAttention* latent = first_latent_attention(job.model.layers);
  const std::int64_t query = latent != nullptr ? latent->kv_lora_rank + latent->qk_rope_head_dim : 0;
  return make_row(job.explain, "scores_16_bit",
                  {{"cells", s.cells},
                   {"latent_query", query, Op::plus},
                   {"n_heads", attention_heads(job.model)},
                   {"micro_batch_tokens", s.n_ubatch},
                   {"bytes_per_value", 2}});
}

/// A layer's keys and values in 16 bits, of the layer that has most.
FormulaRow cache_copy_row(const Job& job, const Settings& s) {
  std::int64_t values = 0;
  std::int64_t cells = 0;
  Bytes most;
  for (const LayerSpec& layer : job.model.layers.kinds()) {
    const CachedHeads heads = cached_heads(layer.mixer, s);
    const std::int64_t own = (heads.key + heads.value) * heads.heads;
    const std::int64_t own_cells = cells_of(layer.mixer, s);
    if (const Bytes bytes = value_of({{"values_per_token", own}, {"cells", own_cells}}); bytes > most) {
      most = bytes;
      values = own;
      cells = own_cells;
    }
  }
  return make_row(job.explain, "copied_cache", {{"values_per_token", values}, {"cells", cells}, {"streams", s.n_streams}, {"bytes_per_value", 2}});
}

/// What Vulkan allocates as products come to need it: inputs of matrix products in 16 or 8 bits (prealloc_y), and in 16 bits a quantized cache, or
/// without flash attention the keys, which are not contiguous, and the scores (prealloc_x, prealloc_y).
Term vulkan_pool_term(const Job& job, const Settings& s) {
  Term term;
  term.id = "runtime_pool";
  term.basis = Basis::modelled;
  term.source = kVulkanSource;
  FormulaRow inputs = make_row(job.explain, "activations_16_bit",
                               {{"widest_input", widest_input(job.model)}, {"micro_batch_tokens", s.n_ubatch}, {"bytes_per_value", 2}});
  term.bytes = inputs.bytes;
  if (job.explain) term.formula.rows.push_back(std::move(inputs));
  if (!s.flash_attention || is_ggml_quantized(s.type_k) || is_ggml_quantized(s.type_v)) {
    FormulaRow cache = cache_copy_row(job, s);
    term.bytes += cache.bytes;
    if (job.explain) term.formula.rows.push_back(std::move(cache));
  }
  if (!s.flash_attention) {
    FormulaRow scores = scores_row(job, s);
    term.bytes += scores.bytes;
    if (job.explain) term.formula.rows.push_back(std::move(scores));
  }
  term.high = term.bytes + term.bytes / 4 + 64 * kMiB;  // sums of split products, and pages
  return term;
}

}  // namespace

Bytes context_bytes(const Device& device) { return context_of(device).usual; }

Term context_term(const Job& job, const Device& device) {
  const Context context = context_of(device);
  Term term;
  term.id = "overhead";
  term.basis = Basis::modelled;
  term.records = context.records;
  term.source = kContextSource;
  term.bytes = context.usual;
  term.low = context.low;
  term.high = context.high;
  if (job.explain) term.formula.rows.push_back({"driver_context", {}, context.usual, true});
  return term;
}

Term runtime_pool_term(const Job& job, const Settings& s, const Device& device) {
  if (device.backend == "vulkan") return vulkan_pool_term(job, s);
  Term term;
  term.id = "runtime_pool";
  term.basis = Basis::modelled;
  term.source = kPoolSource;
  if (!pads_rows(device)) return term;
  term.records = 170;
  // block_q8_1 holds 32 values in 36 bytes.
  FormulaRow inputs = make_row(job.explain, "quantized_activations",
                               {{"widest_input", widest_input(job.model)},
                                {"micro_batch_tokens", s.n_ubatch},
                                {"bytes_per_block", 36},
                                {"elements_per_block", 32, Op::divide}});
  term.bytes = inputs.bytes;
  if (job.explain) term.formula.rows.push_back(std::move(inputs));
  if (!s.flash_attention) {
    FormulaRow scores = scores_row(job, s);
    term.bytes += scores.bytes;
    if (job.explain) term.formula.rows.push_back(std::move(scores));
  }
  const Bytes sum = term.bytes;
  term.bytes = in_pages(sum) + 4 * kMiB;  // cuBLAS keeps a workspace of 4 MiB
  if (job.explain) term.formula.rows.push_back({"pages_and_workspace", {}, term.bytes - sum, true});
  term.low = s.flash_attention ? term.bytes / 2 : in_pages(sum) / 8;  // scores grow with the tokens really used
  term.high = term.bytes + term.bytes / 4 + 16 * kMiB;                // partial sums of kernels depend on the card
  return term;
}

Term output_term(const Job& job, const Settings& s) {
  Term term;
  term.id = "output";
  term.basis = Basis::exact;
  term.source = kOutputSource;
  const std::int64_t rows = std::max(s.n_seq_max, job.scenario.options.llama_cpp.n_outputs ? s.n_outputs : 0);
  const Factor vocabulary{"vocab_size", job.model.vocab_size};
  const Factor width{"hidden_size", job.model.hidden_size, Op::plus};
  const Factor count{"output_rows", rows};
  const Factor value{"bytes_per_value", kFloat};
  FormulaRow row = s.embeddings ? make_row(job.explain, "logits", {vocabulary, width, count, value})
                                : make_row(job.explain, "logits", {vocabulary, count, value});
  row.chosen = true;
  term.bytes = term.low = term.high = row.bytes;
  if (job.explain) term.formula.rows.push_back(std::move(row));
  return term;
}

}  // namespace weighbridge::llama_cpp
