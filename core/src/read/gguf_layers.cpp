// SPDX-License-Identifier: Apache-2.0
// The layers of a GGUF file: sizes from its keys, and which kind a layer is from the tensors it holds.
#include "read/gguf_layers.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <tuple>

#include "read/gguf_keys.hpp"
#include "read/linear_attention.hpp"

namespace weighbridge {

namespace {

constexpr std::int64_t kMostLayers = 4096;  // as config_limit::layers

/// Every `period`-th layer sees all tokens, the others a window: the period that llama.cpp takes where the file has no pattern; 0: it takes none.
/// Source: ggml-org/llama.cpp src/models/*.cpp, set_swa_pattern.
std::int64_t usual_period(std::string_view architecture) {
  constexpr std::array<std::pair<std::string_view, std::int64_t>, 8> kPeriods{
      {{"gemma2", 2}, {"gemma3", 6}, {"gemma3n", 5}, {"gpt-oss", 2}, {"cohere2", 4}, {"llama4", 4}, {"exaone4", 4}, {"olmo2", 4}}};
  for (const auto& [name, period] : kPeriods)
    if (name == architecture) return period;
  return 0;
}

/// The window of an architecture whose file need not state it. Source: as above, load_arch_hparams.
std::int64_t usual_window(std::string_view architecture) {
  if (architecture == "llama4") return 8192;  // tokens of a chunk
  return architecture == "gemma2" ? 4096 : 0;
}

class LayerReader {
 public:
  LayerReader(const GgufHeader& header, const GgufInventory& tensors, std::int64_t hidden)
      : keys_(header), architecture_(header.text("general.architecture")), tensors_(tensors), hidden_(hidden) {}

  /// Nothing if the keys do not say how large the layer is.
  [[nodiscard]] std::optional<LayerSpec> read(std::int64_t layer) const {
    LayerSpec spec;
    const bool recurrent = has_any(layer, {"ssm_conv1d", "ssm_conv1d_q", "shortconv.conv", "time_mix_key"});
    const bool attends = !has_any(layer, {"ssm_conv1d_q"}) &&
                         (has_any(layer, {"attn_output", "attn_q"}) || (!recurrent && has_any(layer, {"attn_qkv"})));
    std::optional<RecurrentMixer> state;
    if (recurrent && !(state = recurrent_mixer(layer))) return std::nullopt;
    spec.mixer = NoMixer{};
    if (attends) {
      std::optional<Mixer> mixer = attention(layer);
      if (!mixer) return std::nullopt;
      spec.mixer = *mixer;
      spec.beside = state;
    } else if (state) {
      spec.mixer = *state;
    } else if (tensors_.has_mixer(layer)) {
      return std::nullopt;  // mixers whose keys we do not read
    }
    spec.ffn = feed_forward(layer);
    spec.shares_cache = attends && layer >= n_cached_layers();
    return spec;
  }

 private:
  /// The layers after these read the keys and values of earlier ones. Gemma 3n files of before the key have 20.
  [[nodiscard]] std::int64_t n_cached_layers() const {
    const std::int64_t all = keys_.number("block_count");
    return all - keys_.number("attention.shared_kv_layers", architecture_ == "gemma3n" ? std::max<std::int64_t>(all - 20, 0) : 0);
  }

  [[nodiscard]] std::int64_t number(std::string_view key, std::int64_t layer, std::int64_t fallback = 0) const {
    return keys_.number(key, fallback, static_cast<std::size_t>(layer));
  }

  [[nodiscard]] bool has_any(std::int64_t layer, std::initializer_list<std::string_view> names) const {
    return std::any_of(names.begin(), names.end(), [&](std::string_view name) { return tensors_.has(layer, name); });
  }

  [[nodiscard]] std::optional<Mixer> attention(std::int64_t layer) const {
    FullAttention heads;
    heads.n_heads = number("attention.head_count", layer);
    heads.n_kv_heads = number("attention.head_count_kv", layer, heads.n_heads);
    if (heads.n_heads <= 0 || heads.n_kv_heads <= 0) return std::nullopt;
    if (number("attention.kv_lora_rank", layer) > 0) return latent(layer, heads.n_heads);
    heads.head_dim_k = number("attention.key_length", layer, hidden_ / heads.n_heads);
    heads.head_dim_v = number("attention.value_length", layer, heads.head_dim_k);
    if (heads.head_dim_k <= 0 || heads.n_heads % heads.n_kv_heads != 0) return std::nullopt;
    heads.sinks = tensors_.has(layer, "attn_sinks");
    const std::int64_t window = number("attention.sliding_window", layer, usual_window(architecture_));
    if (window <= 0 || !is_sliding(layer)) return heads;
    if (architecture_ == "llama4") return ChunkedAttention{heads, window};
    const std::int64_t narrow = number("attention.key_length_swa", layer, heads.head_dim_k);
    heads.head_dim_v = number("attention.value_length_swa", layer, heads.head_dim_k == heads.head_dim_v ? narrow : heads.head_dim_v);
    heads.head_dim_k = narrow;
    return SlidingAttention{heads, window};
  }

  /// A pattern is a period, or a value for each layer.
  [[nodiscard]] bool is_sliding(std::int64_t layer) const {
    const GgufValue* pattern = keys_.find("attention.sliding_window_pattern");
    if (pattern != nullptr && pattern->type == GgufType::array) return number("attention.sliding_window_pattern", layer) != 0;
    const std::int64_t period = number("attention.sliding_window_pattern", layer, usual_period(architecture_));
    return period > 0 && layer % period < period - 1;
  }

  /// Files since 2025 cache the latent: `key_length` is its width, and the heads' own widths have keys of their own. Older ones have those only.
  [[nodiscard]] std::optional<Mixer> latent(std::int64_t layer, std::int64_t n_heads) const {
    LatentAttention a;
    a.n_heads = n_heads;
    a.q_lora_rank = number("attention.q_lora_rank", layer);
    a.kv_lora_rank = number("attention.kv_lora_rank", layer);
    a.qk_rope_head_dim = number("rope.dimension_count", layer);
    const std::int64_t key = number("attention.key_length_mla", layer, number("attention.key_length", layer));
    a.qk_nope_head_dim = key - a.qk_rope_head_dim;
    a.head_dim_v = number("attention.value_length_mla", layer, number("attention.value_length", layer));
    if (a.qk_rope_head_dim <= 0 || a.qk_nope_head_dim <= 0 || a.head_dim_v <= 0) return std::nullopt;
    a.indexer.top_k = number("attention.indexer.top_k", layer);
    if (!tensors_.has(layer, "indexer.attn_k")) return a;  // reads what an earlier layer chose
    a.indexer.n_heads = number("attention.indexer.head_count", layer);
    a.indexer.head_dim = number("attention.indexer.key_length", layer);
    return a;
  }

  /// llama-hparams.cpp, n_embd_r() and n_embd_s().
  [[nodiscard]] std::optional<RecurrentMixer> recurrent_mixer(std::int64_t layer) const {
    RecurrentMixer mixer;
    if (tensors_.has(layer, "shortconv.conv")) {
      mixer.kind = RecurrentKind::short_conv;
      mixer.inner_size = mixer.conv_channels = hidden_;
      mixer.conv_kernel = number("shortconv.l_cache", layer);
      return mixer.conv_kernel > 0 ? std::optional(mixer) : std::nullopt;
    }
    if (tensors_.has(layer, "time_mix_key")) return time_mix(number("wkv.head_size", layer));
    if (tensors_.has(layer, "ssm_conv1d_q")) return kimi_delta_mixer(layer);
    const std::int64_t state = number("ssm.state_size", layer);
    const std::int64_t groups = number("ssm.group_count", layer);
    mixer.inner_size = number("ssm.inner_size", layer);
    mixer.conv_kernel = number("ssm.conv_kernel", layer);
    mixer.n_heads = groups > 0 ? number("ssm.time_step_rank", layer) : 0;  // Mamba has no heads: there it is the rank of the time step
    mixer.conv_channels = mixer.inner_size + 2 * groups * state;
    mixer.state_values = state * mixer.inner_size;
    const bool delta = architecture_ == "qwen3next" || architecture_ == "qwen35" || architecture_ == "qwen35moe";
    mixer.kind = delta ? RecurrentKind::gated_delta_net : groups > 0 ? RecurrentKind::mamba2 : RecurrentKind::mamba;
    if (state <= 0 || mixer.inner_size <= 0 || mixer.conv_kernel <= 0) return std::nullopt;
    return mixer;
  }

  /// RWKV-7: a state of head_size x head_size per head, and one token of both mixes (token_shift_count).
  [[nodiscard]] std::optional<RecurrentMixer> time_mix(std::int64_t head_size) const {
    if (head_size <= 0 || hidden_ % head_size != 0) return std::nullopt;
    return RecurrentMixer{RecurrentKind::rwkv7, hidden_, hidden_ / head_size, hidden_ * head_size, 2 * hidden_, 2};
  }

  [[nodiscard]] std::optional<RecurrentMixer> kimi_delta_mixer(std::int64_t layer) const {
    const std::int64_t n_heads = number("attention.head_count", layer);
    const std::int64_t head_dim = number("kda.head_dim", layer);
    const std::int64_t kernel = number("ssm.conv_kernel", layer);
    if (n_heads <= 0 || head_dim <= 0 || kernel <= 0) return std::nullopt;
    return kimi_delta(n_heads, head_dim, kernel);
  }

  /// Output features of a matrix, or of each of a stack of them.
  [[nodiscard]] std::int64_t rows(std::int64_t layer, std::string_view name) const {
    const StoredTensor* tensor = tensors_.find(layer, name);
    return tensor != nullptr && tensor->shape.size() >= 2 ? tensor->shape[tensor->shape.size() - 2] : 0;
  }

  [[nodiscard]] Ffn feed_forward(std::int64_t layer) const {
    if (tensors_.has(layer, "ffn_up_exps") || tensors_.has(layer, "ffn_gate_up_exps")) {
      MoeFfn moe;
      const bool fused = !tensors_.has(layer, "ffn_up_exps");
      moe.n_experts = number("expert_count", layer);
      moe.n_experts_used = number("expert_used_count", layer);
      moe.moe_ffn_size = fused ? rows(layer, "ffn_gate_up_exps") / 2 : rows(layer, "ffn_up_exps");
      moe.shared_ffn_size = std::max(rows(layer, "ffn_up_shexp"), rows(layer, "ffn_up"));  // Gemma 4 names it as a dense block
      moe.router_bias = tensors_.has(layer, "exp_probs_b.bias") || tensors_.has(layer, "exp_probs_b");
      moe.gated = fused || tensors_.has(layer, "ffn_gate_exps");
      choose_experts(moe);
      return moe;
    }
    if (tensors_.has(layer, "channel_mix_key")) return DenseFfn{rows(layer, "channel_mix_key"), false};
    if (!tensors_.has(layer, "ffn_up")) return NoFfn{};
    const bool gated = tensors_.has(layer, "ffn_gate");
    // Phi-3 and GLM-4 store gate and up as one matrix.
    const std::int64_t size = number("feed_forward_length", layer, rows(layer, "ffn_up"));
    const bool fused = !gated && rows(layer, "ffn_up") == 2 * size;
    return DenseFfn{fused ? size : rows(layer, "ffn_up"), gated || fused};
  }

  /// A file of DeepSeek's kind says so where weights are normalized.
  void choose_experts(MoeFfn& moe) const {
    moe.n_groups = std::max<std::int64_t>(keys_.number("expert_group_count"), 1);
    moe.n_groups_used = std::max<std::int64_t>(keys_.number("expert_group_used_count"), 1);
    moe.normalizes_weights = keys_.number("expert_weights_norm", keys_.number("attention.kv_lora_rank") == 0 ? 1 : 0) != 0;
    const GgufValue* scale = keys_.find("expert_weights_scale");
    const double factor = scale != nullptr ? scale->number().value_or(0.0) : 0.0;
    moe.scales_weights = factor != 0.0 && factor != 1.0;
  }

  GgufKeys keys_;
  std::string_view architecture_;
  const GgufInventory& tensors_;
  std::int64_t hidden_;
};

}  // namespace

GgufInventory::GgufInventory(const std::vector<GgufHeader>& parts) {
  for (const GgufHeader& part : parts)
    for (const StoredTensor& tensor : part.tensors) rows_.push_back({gguf_tensor_name(tensor.name), &tensor});
  std::sort(rows_.begin(), rows_.end(), [](const Row& a, const Row& b) {
    return std::tie(a.name.layer, a.name.name, a.name.is_bias) < std::tie(b.name.layer, b.name.name, b.name.is_bias);
  });
}

const StoredTensor* GgufInventory::find(std::int64_t layer, std::string_view name) const {
  const auto found = std::lower_bound(rows_.begin(), rows_.end(), std::tie(layer, name),
                                      [](const Row& row, const auto& wanted) { return std::tie(row.name.layer, row.name.name) < wanted; });
  return found != rows_.end() && found->name.layer == layer && found->name.name == name ? found->tensor : nullptr;
}

bool GgufInventory::has_mixer(std::int64_t layer) const {
  const auto first = std::lower_bound(rows_.begin(), rows_.end(), layer, [](const Row& row, std::int64_t wanted) { return row.name.layer < wanted; });
  const auto last = std::find_if(first, rows_.end(), [&](const Row& row) { return row.name.layer != layer; });
  return std::any_of(first, last, [](const Row& row) {
    const auto begins = [&](std::string_view prefix) { return row.name.name.starts_with(prefix); };
    const bool mixes = begins("attn") || begins("ssm_") || begins("time_mix") || begins("shortconv") || begins("self_attn") || begins("linear_attn");
    return mixes && !row.name.name.ends_with("norm");
  });
}

bool read_gguf_layers(const GgufHeader& header, const GgufInventory& tensors, Model& model) {
  const GgufKeys keys(header);
  const std::int64_t all = keys.number("block_count");
  const std::int64_t mtp = keys.number("nextn_predict_layers");
  if (all < 1 || all > kMostLayers || mtp >= all) return false;
  const LayerReader reader(header, tensors, model.hidden_size);
  for (std::int64_t layer = 0; layer < all; ++layer) {
    const std::optional<LayerSpec> spec = reader.read(layer);
    if (!spec) return false;
    if (const auto* moe = std::get_if<MoeFfn>(&spec->ffn); moe != nullptr && (moe->n_experts < 1 || moe->n_experts_used > moe->n_experts))
      return false;
    (layer < all - mtp ? model.layers : model.mtp_layers).push_back(*spec);
  }
  const FullAttention* heads = first_grouped_attention(model.layers);
  model.rotary_dim = keys.number("rope.dimension_count", heads != nullptr ? heads->head_dim_k : 0);
  return true;
}

}  // namespace weighbridge
