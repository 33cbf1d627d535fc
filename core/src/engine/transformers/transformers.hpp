// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "engine/module_sizes.hpp"

namespace weighbridge::transformers {

/// What changed between versions, as far as it moves memory.
struct Rules {
  std::string_view version;
  bool all_logits;       ///< a forward pass keeps the logits of every token, and a copy in f32 (before num_logits_to_keep of 4.45)
  bool rotary_tables;    ///< each attention keeps tables of cosines and sines for all positions (Qwen2Attention and others before 4.45)
  bool warm_allocator;   ///< caching_allocator_warmup (4.50): tensors are cut from one block, so none is rounded up
  bool repeats_heads;    ///< sdpa copies keys and values once per query head (before use_gqa_in_sdpa of 4.53)
  bool sliding_cache;    ///< DynamicCache forgets what lies outside a window (DynamicSlidingWindowLayer, 4.56)
  bool grouped_experts;  ///< all experts in one product (grouped_mm_experts_forward, 5.0), not one after another
};

[[nodiscard]] const Rules& rules_for(std::string_view version);
[[nodiscard]] bool is_known_version(std::string_view version);
[[nodiscard]] std::vector<std::string_view> versions();

enum class Attention { sdpa, eager, flash };
enum class CacheKind { dynamic, fixed, offloaded, quantized };

/// The settings in force.
struct Settings {
  Attention attention = Attention::sdpa;
  CacheKind cache = CacheKind::dynamic;
  std::int64_t sequences = 0;
  std::int64_t total_tokens = 0;   ///< of one sequence when it is full
  std::int64_t prompt_tokens = 0;  ///< of them, read before the first is generated
  std::int64_t step_tokens = 0;    ///< of the prompt, in its largest step
  std::int64_t logit_rows = 0;     ///< of one sequence in that step
  std::int64_t logit_bytes = 0;    ///< of one logit: 2, or 6 with a copy in f32
  std::int64_t value_bytes = 2;    ///< of activations and cache
};

[[nodiscard]] inline bool is_gptq(const Job& job) { return stored_format(job).starts_with("gptq"); }
[[nodiscard]] inline bool is_awq(const Job& job) { return stored_format(job).starts_with("awq"); }
[[nodiscard]] inline bool is_fp8(const Job& job) { return stored_format(job).starts_with("fp8"); }
[[nodiscard]] inline bool is_bitsandbytes(const Job& job) { return stored_format(job) == "nf4" || stored_format(job) == "bnb-int8"; }

[[nodiscard]] Settings settle(const Job& job, const Rules& rules);

/// The model as device_map deals it out: module 0 holds the embeddings, then each layer, then the last norm and the head.
struct Part {
  std::int64_t first = 0;  ///< modules [first, end)
  std::int64_t end = 0;

  [[nodiscard]] bool empty() const { return first >= end; }
  [[nodiscard]] bool holds(std::int64_t module) const { return module >= first && module < end; }
};

struct Placement {
  std::vector<Part> devices;  ///< one for each, in their order
  Part host;
};

/// accelerate's infer_auto_device_map with the memory of get_balanced_memory.
[[nodiscard]] Placement place(const Job& job, const ModuleSizes& sizes);

/// One device's share: which modules it runs. Modules of the host run on the first device, one after another.
struct Share {
  Part part;
  Part borrowed;  ///< modules that lie in the host's memory and run here
  bool is_first = true;

  [[nodiscard]] bool runs(std::int64_t module) const { return part.holds(module) || borrowed.holds(module); }
};

/// A kind of layer, and how many of it a device runs.
struct RunLayers {
  const LayerSpec* kind = nullptr;
  std::int64_t count = 0;
};
/// In the order of the first layer of each.
[[nodiscard]] std::vector<RunLayers> layers_of(const Model& model, const Share& share);

[[nodiscard]] Term weights_term(const Job& job, const Rules& rules, const Part& part, bool on_device);
[[nodiscard]] Term cache_term(const Job& job, const Rules& rules, const Settings& settings, const Share& share);
[[nodiscard]] Term recurrent_term(const Job& job, const Settings& settings, const Share& share);
[[nodiscard]] Term compute_term(const Job& job, const Rules& rules, const Settings& settings, const Share& share);

/// Bytes that the layers of `share` keep of `tokens` tokens of every sequence, while the prompt is read or after.
[[nodiscard]] Bytes cached_bytes(const Job& job, const Rules& rules, const Settings& settings, const Share& share, std::int64_t tokens,
                                 bool is_prompt);

}  // namespace weighbridge::transformers
