// SPDX-License-Identifier: Apache-2.0
#include "model_keys.hpp"

#include <algorithm>
#include <array>

namespace weighbridge::testing {

namespace {

/// The keys of one architecture: a number, or one for each layer if they differ.
class KeyWriter {
 public:
  KeyWriter(std::string arch, GgufWriter& writer) : arch_(std::move(arch)), writer_(writer) {}

  void put(const std::string& name, std::int64_t value) { writer_.number(arch_ + "." + name, static_cast<std::uint32_t>(value)); }
  void put_each(const std::string& name, const std::vector<std::int32_t>& values) { writer_.numbers(arch_ + "." + name, values); }
  void put_real(const std::string& name, float value) { writer_.value(arch_ + "." + name, GgufType::f32, raw(value)); }
  void put_switch(const std::string& name, bool value) { writer_.value(arch_ + "." + name, GgufType::boolean, raw(std::uint8_t{value})); }
  /// One number if all layers have the same.
  void put_layers(const std::string& name, const std::vector<std::int32_t>& values) {
    if (std::all_of(values.begin(), values.end(), [&](std::int32_t value) { return value == values.front(); }))
      put(name, values.front());
    else
      put_each(name, values);
  }
  [[nodiscard]] bool is(std::string_view architecture) const { return arch_ == architecture; }

 private:
  std::string arch_;
  GgufWriter& writer_;
};

/// What a graph's shape depends on and our model does not hold: constants of the family. Source: ggml-org/llama.cpp conversion/*.py.
struct FamilyKey {
  std::string_view architecture;
  const char* key;
  enum Kind { number, real, flag } kind;
  double value;
};

constexpr std::array kFamilyKeys{
    FamilyKey{"gemma2", "attn_logit_softcapping", FamilyKey::real, 50},
    FamilyKey{"gemma2", "final_logit_softcapping", FamilyKey::real, 30},
    FamilyKey{"gemma4", "final_logit_softcapping", FamilyKey::real, 30},
    FamilyKey{"command-r", "logit_scale", FamilyKey::real, 0.0625},
    FamilyKey{"cohere2", "logit_scale", FamilyKey::real, 0.25},
    FamilyKey{"granite", "logit_scale", FamilyKey::real, 16},
    FamilyKey{"granite", "residual_scale", FamilyKey::real, 0.22},
    FamilyKey{"granite", "embedding_scale", FamilyKey::real, 12},
    FamilyKey{"granite", "attention.scale", FamilyKey::real, 0.0078125},
    FamilyKey{"granitemoe", "logit_scale", FamilyKey::real, 6},
    FamilyKey{"granitemoe", "residual_scale", FamilyKey::real, 0.22},
    FamilyKey{"granitemoe", "embedding_scale", FamilyKey::real, 12},
    FamilyKey{"granitemoe", "attention.scale", FamilyKey::real, 0.015625},
    FamilyKey{"granitehybrid", "logit_scale", FamilyKey::real, 8},
    FamilyKey{"granitehybrid", "residual_scale", FamilyKey::real, 0.22},
    FamilyKey{"granitehybrid", "embedding_scale", FamilyKey::real, 12},
    FamilyKey{"granitehybrid", "attention.scale", FamilyKey::real, 0.0078125},
    FamilyKey{"muse-glimmer", "logit_scale", FamilyKey::real, 0.25},
    FamilyKey{"muse-glimmer", "final_logit_softcapping", FamilyKey::real, 30},
    FamilyKey{"dbrx", "attention.clamp_kqv", FamilyKey::real, 8},
    FamilyKey{"qwen3vl", "n_deepstack_layers", FamilyKey::number, 3},
    FamilyKey{"qwen3vlmoe", "n_deepstack_layers", FamilyKey::number, 3},
    FamilyKey{"qwen3next", "full_attention_interval", FamilyKey::number, 4},
    FamilyKey{"qwen35", "full_attention_interval", FamilyKey::number, 4},
    FamilyKey{"qwen35moe", "full_attention_interval", FamilyKey::number, 4},
    FamilyKey{"gemma-embedding", "attention.sliding_window", FamilyKey::number, 512},
    FamilyKey{"modern-bert", "attention.sliding_window", FamilyKey::number, 128},
    FamilyKey{"nomic-bert-moe", "moe_every_n_layers", FamilyKey::number, 2},
    FamilyKey{"granitehybrid", "rope.scaling.finetuned", FamilyKey::flag, 0},
};

/// How multimodal rotation splits a head's pairs over time, height and width.
struct RotarySections {
  std::string_view architecture;
  std::vector<std::int32_t> pairs;
};

void write_sections(KeyWriter& keys) {
  for (const auto& [architecture, pairs] :
       {RotarySections{"qwen2vl", {16, 24, 24, 0}}, RotarySections{"qwen3vl", {24, 20, 20, 0}}, RotarySections{"qwen3vlmoe", {24, 20, 20, 0}},
        RotarySections{"qwen35", {11, 11, 10, 0}}, RotarySections{"qwen35moe", {11, 11, 10, 0}}})
    if (keys.is(architecture)) keys.put_each("rope.dimension_sections", pairs);
}

void write_family(KeyWriter& keys) {
  for (const FamilyKey& row : kFamilyKeys) {
    if (!keys.is(row.architecture)) continue;
    if (row.kind == FamilyKey::number) keys.put(row.key, static_cast<std::int64_t>(row.value));
    if (row.kind == FamilyKey::real) keys.put_real(row.key, static_cast<float>(row.value));
    if (row.kind == FamilyKey::flag) keys.put_switch(row.key, row.value != 0);
  }
}

const FullAttention* first_windowed(const Model& model) {
  for (const LayerSpec& layer : model.layers)
    if (const auto* windowed = std::get_if<SlidingAttention>(&layer.mixer)) return &windowed->heads;
  return nullptr;
}

const FullAttention* first_whole(const Model& model) {
  for (const LayerSpec& layer : model.layers)
    if (const auto* heads = std::get_if<FullAttention>(&layer.mixer)) return heads;
  if (const FullAttention* windowed = first_windowed(model)) return windowed;
  return first_grouped_attention(model.layers);
}

void write_windows(const Model& model, KeyWriter& keys) {
  std::vector<std::int32_t> sliding;
  std::int64_t window = 0;
  for (const LayerSpec& layer : model.layers) {
    const auto* windowed = std::get_if<SlidingAttention>(&layer.mixer);
    sliding.push_back(windowed != nullptr ? 1 : 0);
    if (windowed != nullptr) window = windowed->window;
  }
  if (window > 0) keys.put("attention.sliding_window", window), keys.put_each("attention.sliding_window_pattern", sliding);
}

/// Heads of every layer. A layer without attention has no KV heads; the engine asks the first layer for the head's size, so it must have heads.
void write_head_counts(const Model& model, KeyWriter& keys) {
  std::vector<std::int32_t> heads, kv_heads;
  const FullAttention* whole = first_whole(model);
  for (const LayerSpec& layer : model.layers) {
    const FullAttention* grouped = grouped_attention(layer.mixer);
    const bool is_empty = grouped == nullptr && recurrent_part(layer) == nullptr && keys.is("deci");
    const bool delta = recurrent_part(layer) != nullptr && recurrent_part(layer)->kind == RecurrentKind::gated_delta_net;
    heads.push_back(grouped != nullptr ? static_cast<std::int32_t>(grouped->n_heads) : is_empty ? 0 : static_cast<std::int32_t>(whole->n_heads));
    kv_heads.push_back(grouped != nullptr ? static_cast<std::int32_t>(grouped->n_kv_heads)
                       : delta            ? static_cast<std::int32_t>(whole->n_kv_heads)
                                          : 0);
  }
  keys.put_layers("attention.head_count", heads);
  keys.put_layers("attention.head_count_kv", kv_heads);
}

/// The keys that the converter writes of attention with keys and values per head.
void write_heads(const Model& model, KeyWriter& keys) {
  write_windows(model, keys);
  const FullAttention* whole = first_whole(model);
  if (whole == nullptr) return keys.put("attention.head_count", 0);
  write_head_counts(model, keys);
  keys.put("attention.key_length", whole->head_dim_k);
  keys.put("attention.value_length", whole->head_dim_v);
  if (const FullAttention* windowed = first_windowed(model);
      windowed != nullptr && (windowed->head_dim_k != whole->head_dim_k || keys.is("gemma4"))) {
    keys.put("attention.key_length_swa", windowed->head_dim_k);
    keys.put("attention.value_length_swa", windowed->head_dim_v);
    keys.put("rope.dimension_count_swa", windowed->head_dim_k);
  }
  if (model.rotary_dim > 0) keys.put("rope.dimension_count", keys.is("gemma4") ? whole->head_dim_k : model.rotary_dim);
  const auto n_shared = std::count_if(model.layers.begin(), model.layers.end(), [](const LayerSpec& layer) { return layer.shares_cache; });
  if (n_shared > 0) keys.put("attention.shared_kv_layers", n_shared);
}

/// A layer of another kind, such as one of delta attention, has no KV heads.
void write_latent(const Model& model, const LatentAttention& latent, KeyWriter& keys) {
  std::vector<std::int32_t> kv_heads;
  const bool cached_whole = keys.is("minicpm3") || keys.is("plm");  // these keep keys and values of every head
  for (const LayerSpec& layer : model.layers)
    kv_heads.push_back(!std::holds_alternative<LatentAttention>(layer.mixer) ? 0 : cached_whole ? static_cast<std::int32_t>(latent.n_heads) : 1);
  keys.put("attention.head_count", latent.n_heads);
  keys.put_layers("attention.head_count_kv", kv_heads);
  if (latent.q_lora_rank > 0) keys.put("attention.q_lora_rank", latent.q_lora_rank);
  keys.put("attention.kv_lora_rank", latent.kv_lora_rank);
  keys.put("rope.dimension_count", latent.qk_rope_head_dim);
  const std::int64_t key = latent.qk_nope_head_dim + latent.qk_rope_head_dim;
  keys.put("attention.key_length", cached_whole ? key : latent.kv_lora_rank + latent.qk_rope_head_dim);
  keys.put("attention.value_length", cached_whole ? latent.head_dim_v : latent.kv_lora_rank);
  if (cached_whole) return;
  keys.put("attention.key_length_mla", key);
  keys.put("attention.value_length_mla", latent.head_dim_v);
  if (latent.indexer.top_k <= 0) return;
  keys.put("attention.indexer.head_count", latent.indexer.n_heads);
  keys.put("attention.indexer.key_length", latent.indexer.head_dim);
  keys.put("attention.indexer.top_k", latent.indexer.top_k);
}

/// Mamba, Mamba-2 and the gated delta net share keys; a convolution of Mamba-2 or of the delta net also passes two vectors of each group.
void write_recurrent(const RecurrentMixer& mixer, std::int64_t hidden, KeyWriter& keys) {
  if (mixer.kind == RecurrentKind::short_conv) return keys.put("shortconv.l_cache", mixer.conv_kernel);
  if (mixer.kind == RecurrentKind::rwkv7) return keys.put("wkv.head_size", mixer.inner_size / mixer.n_heads);
  keys.put("ssm.conv_kernel", mixer.conv_kernel);
  if (mixer.kind == RecurrentKind::kimi_delta) return keys.put("kda.head_dim", mixer.inner_size / mixer.n_heads);
  const std::int64_t state = mixer.state_values / mixer.inner_size;
  keys.put("ssm.inner_size", mixer.inner_size);
  keys.put("ssm.state_size", state);
  const bool grouped = mixer.kind != RecurrentKind::mamba;
  keys.put("ssm.time_step_rank", grouped ? mixer.n_heads : (hidden + 15) / 16);
  if (grouped) keys.put("ssm.group_count", (mixer.conv_channels - mixer.inner_size) / (2 * state));
}

void write_mixers(const Model& model, KeyWriter& keys) {
  if (const LatentAttention* latent = first_latent_attention(model.layers))
    write_latent(model, *latent, keys);
  else
    write_heads(model, keys);
  for (const LayerSpec& layer : model.layers)
    if (const RecurrentMixer* mixer = recurrent_part(layer)) return write_recurrent(*mixer, model.hidden_size, keys);
}

/// Output features of the tensor of that name in a GGUF file; 0 if there is none.
std::int64_t rows_of(const Model& model, std::string_view name) {
  for (const Tensor& tensor : model.plain)
    if (tensor.gguf == name) return tensor.rows;
  return 0;
}

void write_experts(const Model& model, const MoeFfn& moe, KeyWriter& keys) {
  keys.put("expert_count", moe.n_experts);
  keys.put("expert_used_count", moe.n_experts_used);
  keys.put("expert_feed_forward_length", moe.moe_ffn_size);
  // A layer that mixes nothing else may hold the dense block there (Nemotron-H): only leading ones are meant.
  const auto first = std::find_if(model.layers.begin(), model.layers.end(),
                                  [](const LayerSpec& layer) { return std::holds_alternative<MoeFfn>(layer.ffn); });
  keys.put("leading_dense_block_count", std::distance(model.layers.begin(), first));
  keys.put("interleave_moe_layer_step", keys.is("llama4") && std::holds_alternative<DenseFfn>(model.layers.front().ffn) ? 2 : 1);
  keys.put("expert_shared_count", moe.shared_ffn_size / moe.moe_ffn_size);
  if (moe.shared_ffn_size > 0) keys.put("expert_shared_feed_forward_length", moe.shared_ffn_size);
  keys.put("expert_gating_func", moe.router_bias ? 2 : 1);  // sigmoid, or softmax
  if (const std::int64_t latent = rows_of(model, "ffn_latent_down"); latent > 0) keys.put("moe_latent_size", latent);
  if (moe.n_groups > 1) {
    keys.put("expert_group_count", moe.n_groups);
    keys.put("expert_group_used_count", moe.n_groups_used);
  }
  keys.put_switch("expert_weights_norm", moe.normalizes_weights);
  keys.put_real("expert_weights_scale", moe.scales_weights ? 2.5F : 1.0F);  // any factor other than one is a node
}

/// Of the embedding that every layer has of its own (Gemma 3n and 4); 0 if there is none.
std::int64_t per_layer_width(const Model& model) {
  for (const Tensor& tensor : model.plain)
    if (tensor.role == TensorRole::layer_embedding) return tensor.cols / model.n_layers();
  return 0;
}

/// The width of each layer's feed-forward block; an expert's where the model has no other.
void write_feed_forward(const Model& model, KeyWriter& keys) {
  const MoeFfn* experts = first_moe(model);
  const std::int64_t dense = keys.is("gemma4") && experts != nullptr ? experts->shared_ffn_size : largest_dense_ffn(model);
  std::vector<std::int32_t> sizes;
  for (const LayerSpec& layer : model.layers) {
    const auto* own = std::get_if<DenseFfn>(&layer.ffn);
    const auto* moe = std::get_if<MoeFfn>(&layer.ffn);
    const std::int64_t block = own != nullptr && keys.is("qwen") ? 2 * own->ffn_size
                               : own != nullptr                  ? own->ffn_size
                                                                 : 0;  // Qwen's counts gate and up
    const std::int64_t size = own != nullptr ? block : moe == nullptr ? 0 : dense > 0 ? dense : moe->moe_ffn_size;
    sizes.push_back(static_cast<std::int32_t>(size));
  }
  keys.put_layers("feed_forward_length", sizes);
  if (experts != nullptr) write_experts(model, *experts, keys);
}

}  // namespace

void write_keys(const Model& model, const std::string& architecture, GgufWriter& writer) {
  KeyWriter keys(architecture, writer);
  writer.text("general.architecture", architecture).text("tokenizer.ggml.model", "no_vocab");
  keys.put("vocab_size", model.vocab_size);
  keys.put("block_count", model.n_layers());
  keys.put("embedding_length", model.hidden_size);
  keys.put("context_length", model.max_context_tokens);
  keys.put_real("attention.layer_norm_rms_epsilon", 1e-6F);
  keys.put_real("attention.layer_norm_epsilon", 1e-5F);
  write_feed_forward(model, keys);
  write_mixers(model, keys);
  write_family(keys);
  if (model.architecture == "falcon_mamba") keys.put_switch("ssm.dt_b_c_rms", true);  // its file is of "mamba", which has no such norms
  write_sections(keys);
  if (std::holds_alternative<EncoderAttention>(model.layers.front().mixer)) {
    keys.put_switch("attention.causal", false);
    keys.put("pooling_type", 1);  // mean
    writer.number("tokenizer.ggml.token_type_count", static_cast<std::uint32_t>(rows_of(model, "token_types")));
  }
  if (keys.is("gemma4") || keys.is("gemma3n")) keys.put("embedding_length_per_layer_input", per_layer_width(model));
}

}  // namespace weighbridge::testing
