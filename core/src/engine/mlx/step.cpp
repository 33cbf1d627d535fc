// SPDX-License-Identifier: Apache-2.0
// MLX builds a graph and sends it to the GPU in command buffers, faster than the GPU works. A command buffer is sent off after so many operations
// or elements (Device::Device, CommandEncoder::needs_commit); eval_impl waits once more than ten are on their way (MAX_ACTIVE_TASKS). Each keeps
// the inputs and outputs of its operations until it is done (gpu::eval), so the memory in use is that of eleven command buffers at the same
// time. ml-explore/mlx 846d1762; the operations are those of mlx_lm/models/qwen3.py and switch_layers.py (ml-explore/mlx-lm d78bf58e).
#include <algorithm>

#include "engine/mlx/mlx.hpp"

namespace weighbridge::mlx {

namespace {

constexpr std::int64_t kInFlight = 11;
constexpr std::int64_t kSortedFrom = 64;  // SwitchGLU sorts the tokens by expert from so many chosen experts on

/// Products of sizes that a request may make absurd end here: more than any memory, and sums of them still fit into 64 bits.
constexpr std::int64_t kMostElements = std::int64_t{1} << 50;

std::int64_t times(std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? kMostElements : std::min(product, kMostElements);
}

/// The operations of one step, cut into command buffers.
class Recorder {
 public:
  explicit Recorder(const Limits& limits) : limits_(limits) { tensors_.reserve(1024); }

  using Id = std::size_t;

  /// A tensor of the step. `counted` false: a cache or another tensor that a term of its own has.
  Id make(std::int64_t elements, std::int64_t bytes_per_element = 2, bool counted = true) {
    tensors_.push_back({elements, counted ? elements * bytes_per_element : 0, -1, -1});
    return tensors_.size() - 1;
  }

  /// One operation on `inputs` and `weights` elements of a matrix.
  Id run(std::initializer_list<Id> inputs, Id output, std::int64_t weights = 0, std::int64_t kernels = 1) {
    for (const Id input : inputs) touch(input);
    touch(output);
    elements_ += weights;
    operations_ += kernels;
    if (operations_ > limits_.operations || (elements_ >> 20) > limits_.million_elements) {
      ++buffer_;
      operations_ = elements_ = 0;
    }
    return output;
  }

  /// The most that eleven command buffers in a row hold.
  [[nodiscard]] Bytes peak() const {
    std::vector<std::int64_t> change(static_cast<std::size_t>(buffer_) + 2);
    for (const Tensor& tensor : tensors_) {
      if (tensor.first < 0) continue;
      change[static_cast<std::size_t>(std::max<std::int64_t>(0, tensor.first - kInFlight + 1))] += tensor.bytes;
      change[static_cast<std::size_t>(tensor.last) + 1] -= tensor.bytes;
    }
    std::int64_t now = 0;
    std::int64_t most = 0;
    for (const std::int64_t bytes : change) most = std::max(most, now += bytes);
    return Bytes(static_cast<std::uint64_t>(most));
  }

 private:
  struct Tensor {
    std::int64_t elements;
    std::int64_t bytes;
    std::int64_t first;  ///< command buffer that it appears in
    std::int64_t last;
  };

  void touch(Id id) {
    Tensor& tensor = tensors_[id];
    if (tensor.last == buffer_) return;
    elements_ += tensor.elements;
    tensor.last = buffer_;
    if (tensor.first < 0) tensor.first = buffer_;
  }

  Limits limits_;
  std::vector<Tensor> tensors_;
  std::int64_t buffer_ = 0;
  std::int64_t operations_ = 0;
  std::int64_t elements_ = 0;
};

struct Walk {
  const Job& job;
  const Settings& s;
  const StepSize& step;
  Recorder recorder;
  std::int64_t matrix_bits = 16;  ///< of the weights; below 16 they are counted in 32-bit words, with a scale and a bias a group
  std::int64_t matrix_group = 64;

  [[nodiscard]] std::int64_t tokens() const { return times(step.tokens, s.sequences); }
  [[nodiscard]] std::int64_t hidden() const { return job.model.hidden_size; }
  [[nodiscard]] std::int64_t matrix(std::int64_t rows, std::int64_t cols) const {
    const std::int64_t values = rows * cols;
    return matrix_bits >= 16 ? values : values * matrix_bits / 32 + 2 * values / matrix_group;
  }
  Recorder::Id make(std::int64_t values_a_token) { return recorder.make(times(values_a_token, tokens())); }
  /// x W
  Recorder::Id project(Recorder::Id input, std::int64_t from, std::int64_t to) { return recorder.run({input}, make(to), matrix(to, from)); }
};

/// Tokens that a layer's cache has room for after the step.
std::int64_t room_of(const Kept& kept, std::int64_t tokens) {
  const std::int64_t room = ceil_div(tokens, kCacheStep) * kCacheStep;
  return kept.window > 0 ? std::min(room, std::max(kept.window, tokens)) : room;
}

/// The cache after the step: old and new room joined, or values written into the room that there is.
Recorder::Id update_cache(Walk& w, const Kept& kept, Recorder::Id keys, Recorder::Id values) {
  const std::int64_t after = room_of(kept, w.step.before + w.step.tokens);
  const std::int64_t cached = times(after * kept.values, w.s.sequences) * w.s.cache_bits / 16;
  const Recorder::Id cache = w.recorder.make(cached, 2, false);
  if (w.step.grows && w.step.before > 0) {
    const std::int64_t old = times(room_of(kept, w.step.before) * kept.values, w.s.sequences) * w.s.cache_bits / 16;
    w.recorder.run({w.recorder.make(old)}, cache, 0, 2);
  }
  return w.recorder.run({keys, values}, cache, 0, 2);
}

/// Scores of all pairs where no fused kernel runs: heads of 192 and 256 values, and quantized caches (use_fallback; base.py).
bool has_scores(const Walk& w, std::int64_t head_dim) {
  return w.s.cache_bits < 16 || (w.step.tokens > 8 && (head_dim == 192 || head_dim == 256 || head_dim > 256));
}

Recorder::Id attend(Walk& w, const LayerSpec& layer, Recorder::Id input) {
  const FullAttention* a = grouped_attention(layer.mixer);
  const Kept kept = kept_of(layer, w.s);
  const std::int64_t q_size = a->n_heads * a->head_dim_k;
  Recorder::Id q = w.project(input, w.hidden(), q_size);
  const Recorder::Id k = w.project(input, w.hidden(), a->n_kv_heads * a->head_dim_k);
  const Recorder::Id v = w.project(input, w.hidden(), a->n_kv_heads * a->head_dim_v);
  q = w.recorder.run({q}, w.make(q_size));  // rotated: the transposed input cannot be written over
  const Recorder::Id turned = w.recorder.run({k}, w.make(a->n_kv_heads * a->head_dim_k));
  const Recorder::Id cache = update_cache(w, kept, turned, v);
  Recorder::Id out = w.make(a->n_heads * a->head_dim_v);
  if (has_scores(w, a->head_dim_k)) {
    // The mask and the softmax are written over the scores, which nothing else holds (backend/common/ternary.h, metal/softmax.cpp).
    const std::int64_t all = w.step.before + w.step.tokens;
    const std::int64_t keys = kept.window > 0 ? std::min(all, kept.window + w.step.tokens - 1) : all;  // RotatingKVCache._update_concat
    const Recorder::Id scores = w.recorder.run({q, cache}, w.make(a->n_heads * keys));
    const Recorder::Id mask = w.recorder.run({}, w.recorder.make(times(keys, w.step.tokens), 1), 0, 3);
    w.recorder.run({scores, mask}, scores, 0, 2);
    w.recorder.run({scores, cache}, out);
  } else {
    w.recorder.run({q, cache}, out);
  }
  return w.project(out, a->n_heads * a->head_dim_v, w.hidden());
}

/// mlx_lm/models/deepseek_v3.py: the cache holds the latent, which a step expands for every head; the scores of the rotated part are its mask.
Recorder::Id attend_latent(Walk& w, const LayerSpec& layer, const LatentAttention& a, Recorder::Id input) {
  const std::int64_t q_size = a.n_heads * (a.qk_nope_head_dim + a.qk_rope_head_dim);
  const std::int64_t keys = w.step.before + w.step.tokens;
  const Recorder::Id low = a.q_lora_rank > 0 ? w.project(input, w.hidden(), a.q_lora_rank) : input;
  const Recorder::Id q = w.project(low, a.q_lora_rank > 0 ? a.q_lora_rank : w.hidden(), q_size);
  const Recorder::Id latent = w.project(input, w.hidden(), a.kv_lora_rank + a.qk_rope_head_dim);
  const Recorder::Id turned = w.recorder.run({q}, w.make(a.n_heads * a.qk_rope_head_dim));
  const Recorder::Id cache = update_cache(w, kept_of(layer, w.s), latent, latent);
  const Recorder::Id scores = w.recorder.run({turned, cache}, w.make(a.n_heads * keys), 0, 2);
  const Recorder::Id expanded = w.recorder.make(times(times(keys, w.s.sequences), a.n_heads * (a.qk_nope_head_dim + a.head_dim_v)));
  w.recorder.run({cache}, expanded, w.matrix(a.kv_lora_rank, a.n_heads * (a.qk_nope_head_dim + a.head_dim_v)), 2);
  const Recorder::Id out = w.recorder.run({q, expanded, scores}, w.make(a.n_heads * a.head_dim_v));
  return w.project(out, a.n_heads * a.head_dim_v, w.hidden());
}

/// mlx_lm/models/ssm.py ssm_attn: a prompt goes through in pieces of 256 tokens, each as an attention with a matrix of decays for every head.
void multiply_in_pieces(Walk& w, const RecurrentMixer& mixer, Recorder::Id input, Recorder::Id out) {
  constexpr std::int64_t piece = 256;
  for (std::int64_t first = 0; first < w.step.tokens; first += piece) {
    const std::int64_t tokens = std::min(piece, w.step.tokens - first);
    const auto matrix = [&] { return w.recorder.make(times(mixer.n_heads * tokens * tokens, w.s.sequences), 4); };
    const Recorder::Id repeated = w.recorder.run({input}, matrix());
    const Recorder::Id lower = w.recorder.run({repeated}, matrix());
    const Recorder::Id sums = w.recorder.run({lower}, matrix(), 0, 2);
    const Recorder::Id products = w.recorder.run({input}, matrix(), 0, 2);
    const Recorder::Id decayed = w.recorder.run({products, sums}, products);
    w.recorder.run({w.recorder.run({decayed}, matrix()), input}, out, 0, 6);
  }
}

/// A recurrent mixer: projections, convolution, scan, gate.
Recorder::Id scan(Walk& w, const RecurrentMixer& mixer, Recorder::Id input) {
  const std::int64_t channels = std::max(mixer.conv_channels, mixer.inner_size);
  const Recorder::Id mixed = w.project(input, w.hidden(), channels);
  const Recorder::Id gate = w.project(input, w.hidden(), mixer.inner_size);
  const Recorder::Id joined = w.recorder.run({mixed}, w.make(channels));
  const Recorder::Id filtered = w.recorder.run({joined}, w.make(channels), 0, 2);
  const Recorder::Id scaled_parts = w.recorder.run({filtered}, w.make(channels), 0, 4);
  const Recorder::Id state = w.recorder.make(times(mixer.state_values, w.s.sequences), 4);
  const Recorder::Id out = w.recorder.run({scaled_parts, state}, w.make(mixer.inner_size), 0, 2);
  if (mixer.kind == RecurrentKind::mamba2 && w.step.tokens > 1) multiply_in_pieces(w, mixer, scaled_parts, out);
  w.recorder.run({out, gate}, out);
  return w.project(out, mixer.inner_size, w.hidden());
}

Recorder::Id feed(Walk& w, std::int64_t inner, bool gated, Recorder::Id input) {
  const Recorder::Id gate = w.project(input, w.hidden(), inner);
  if (gated) w.recorder.run({w.project(input, w.hidden(), inner)}, gate);
  return w.project(gate, inner, w.hidden());
}

/// switch_layers.py SwitchGLU: the hidden states of every chosen expert, sorted by expert.
Recorder::Id feed_experts(Walk& w, const MoeFfn& moe, Recorder::Id input) {
  const std::int64_t used = moe.n_experts_used;
  const std::int64_t all = moe.n_experts;
  const Recorder::Id scores = w.project(input, w.hidden(), all);
  const Recorder::Id chosen = w.recorder.run({scores}, w.recorder.make(times(all, w.tokens()), 4), 0, 3);
  Recorder::Id rows = input;
  const bool is_sorted = w.tokens() * used >= kSortedFrom;
  if (is_sorted) rows = w.recorder.run({input, chosen}, w.make(used * w.hidden()), 0, 9);
  const auto experts = [&](std::int64_t to, std::int64_t from) { return w.matrix(all * to, from); };
  const Recorder::Id gate = w.recorder.run({rows}, w.make(used * moe.moe_ffn_size), experts(moe.moe_ffn_size, w.hidden()));
  if (moe.gated) w.recorder.run({w.recorder.run({rows}, w.make(used * moe.moe_ffn_size), experts(moe.moe_ffn_size, w.hidden()))}, gate);
  Recorder::Id out = w.recorder.run({gate}, w.make(used * w.hidden()), experts(w.hidden(), moe.moe_ffn_size));
  if (is_sorted) out = w.recorder.run({out}, w.make(used * w.hidden()));
  w.recorder.run({out, scores}, out);
  return w.recorder.run({out}, w.make(w.hidden()));
}

void run_layer(Walk& w, const LayerSpec& layer, Recorder::Id stream) {
  const auto add = [&](Recorder::Id part) { w.recorder.run({part}, stream); };
  const auto normed = [&] { return w.recorder.run({stream}, w.make(w.hidden())); };
  if (const auto* latent = std::get_if<LatentAttention>(&layer.mixer))
    add(attend_latent(w, layer, *latent, normed()));
  else if (grouped_attention(layer.mixer) != nullptr)
    add(attend(w, layer, normed()));
  if (const RecurrentMixer* mixer = recurrent_part(layer)) add(scan(w, *mixer, normed()));
  if (const auto* dense = std::get_if<DenseFfn>(&layer.ffn)) add(feed(w, dense->ffn_size, dense->gated, normed()));
  if (const auto* moe = std::get_if<MoeFfn>(&layer.ffn)) {
    const Recorder::Id input = normed();
    add(feed_experts(w, *moe, input));
    if (moe->shared_ffn_size > 0) add(feed(w, moe->shared_ffn_size, moe->gated, input));
  }
}

/// How the matrices are stored, by the first projection of the text layers.
void read_matrix(const Job& job, Walk& walk) {
  for (const Tensor& tensor : job.tensors) {
    if (tensor.part != ModelPart::text || tensor.is_scale || tensor.cols < 2 || tensor.layers.first < 0) continue;
    if (tensor.type.block_size == 1) continue;
    walk.matrix_bits = tensor.type.block_bytes * 8 / tensor.type.block_size;
    break;
  }
}

}  // namespace

Bytes step_bytes(const Job& job, const Settings& settings, const Limits& limits, const StepSize& step) {
  Walk walk{job, settings, step, Recorder(limits)};
  read_matrix(job, walk);
  // Every kind of layer in turn, and no more of them than fill the command buffers in flight a few times over.
  constexpr std::size_t most_layers = 48;
  const Recorder::Id stream = walk.make(walk.hidden());
  const std::size_t layers = std::min(job.model.layers.size(), most_layers);
  for (std::size_t i = 0; i < layers; ++i) run_layer(walk, job.model.layers[i], stream);
  return walk.recorder.peak();
}

}  // namespace weighbridge::mlx
