// SPDX-License-Identifier: Apache-2.0
#include "json_text.hpp"
#include "read/families/families.hpp"
#include "read/families/gemma_layers.hpp"
#include "read/towers/conformer.hpp"
#include "read/towers/gemma4_vision.hpp"

namespace weighbridge {

namespace {

struct Gemma4 {
  LayerInputs inputs;
  bool shares_keys = false;  ///< layers that see everything take their keys for values: no v_proj
  bool bias = false;
  bool has_experts = false;
};

/// The router scales its input and each expert's output; the experts lie in one tensor, gate and up fused.
void add_experts_of_gemma4(TensorList& tensors, const MoeFfn& moe, std::int64_t hidden) {
  tensors.linear("router.proj", moe.n_experts, hidden);
  tensors.add({.name = "router.scale", .rows = hidden});
  tensors.add({.name = "router.per_expert_scale", .rows = moe.n_experts});
  tensors.copies(moe.n_experts);
  for (int half = 0; half < 2; ++half) tensors.add({.name = "experts.gate_up_proj", .rows = moe.moe_ffn_size, .cols = hidden});
  tensors.add({.name = "experts.down_proj", .rows = hidden, .cols = moe.moe_ffn_size});
  tensors.copies(1);
  for (const char* name : {"post_feedforward_layernorm_1", "post_feedforward_layernorm_2", "pre_feedforward_layernorm_2"}) tensors.norm(name, hidden);
}

void add_attention_of_gemma4(TensorList& tensors, const LayerSpec& layer, const Gemma4& g, std::int64_t hidden) {
  const FullAttention& heads = *grouped_attention(layer.mixer);
  if (!g.shares_keys || !std::holds_alternative<FullAttention>(layer.mixer))
    return add_attention(tensors, heads, hidden, {.qkv_bias = g.bias, .output_bias = g.bias, .qk_norm = true});
  tensors.linear("self_attn.q_proj", heads.n_heads * heads.head_dim_k, hidden, g.bias);
  tensors.linear("self_attn.k_proj", heads.n_kv_heads * heads.head_dim_k, hidden, g.bias);
  tensors.linear("self_attn.o_proj", hidden, heads.n_heads * heads.head_dim_v, g.bias);
  tensors.norm("self_attn.q_norm", heads.head_dim_k);
  tensors.norm("self_attn.k_norm", heads.head_dim_k);
}

void add_text(Draft& draft, const Gemma4& g, const std::string& root) {
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = draft.model.hidden_size;
  const std::string prefix = root + "layers.{layer}.";
  add_embeddings(draft, root);
  add_layer_inputs(draft, g.inputs, root);
  std::int64_t index = 0;
  for (const LayerSpec& layer : draft.model.layers) {
    tensors.at_layer(index++, prefix);
    add_gemma_norms(tensors, hidden);
    add_attention_of_gemma4(tensors, layer, g, hidden);
    const auto* moe = std::get_if<MoeFfn>(&layer.ffn);
    add_dense_ffn(tensors, moe != nullptr ? DenseFfn{moe->shared_ffn_size} : std::get<DenseFfn>(layer.ffn), hidden);
    if (moe != nullptr) add_experts_of_gemma4(tensors, *moe, hidden);
    add_layer_input_gate(tensors, g.inputs, hidden);
    tensors.add({.name = "layer_scalar", .rows = 1, .role = TensorRole::norm});
  }
  add_head(draft, root);
}

/// Routed experts beside a dense block that every token takes.
MoeFfn read_experts(KeyReader& config, std::int64_t dense_size) {
  MoeFfn moe;
  moe.n_experts = config.positive("num_experts", config_limit::experts);
  moe.n_experts_used = config.positive("top_k_experts", config_limit::experts);
  moe.moe_ffn_size = config.positive(first_key(config, {"moe_intermediate_size", "expert_intermediate_size"}), config_limit::moe_ffn);
  moe.shared_ffn_size = dense_size;
  check_experts_used(config, moe, "num_experts");
  return moe;
}

/// Heads of the layers that see everything are wider, and fewer of them hold keys if these serve as values.
FullAttention read_global_heads(KeyReader& config, FullAttention heads, bool shares_keys) {
  heads.head_dim_k = heads.head_dim_v = config.positive_or("global_head_dim", config_limit::head_dim, 512, "");
  if (shares_keys) heads.n_kv_heads = config.positive_or("num_global_key_value_heads", config_limit::heads, heads.n_kv_heads, "");
  check_head_groups(config, heads);
  return heads;
}

/// `unified`: no inputs a layer, other defaults (models/gemma4_unified).
void read_text(KeyReader& config, Draft& draft, const std::string& root, bool unified) {
  const ClassDefaults defaults{.hidden = 2304,
                               .layers = 30,
                               .heads = 8,
                               .kv_heads = 4,
                               .head_dim = 256,
                               .ffn = 9216,
                               .vocab = 262144,
                               .context = unified ? 262144 : 131072,
                               .tied = true};
  Model& model = draft.model;
  read_common(config, model, defaults);
  const FullAttention heads = read_full_attention(config, model, defaults);
  const std::int64_t window = config.positive_or("sliding_window", config_limit::context, unified ? 1024 : 512, "");
  const std::int64_t n_layers = read_layer_count(config, defaults);
  const std::int64_t first_shared = read_first_shared_layer(config, n_layers, 0);
  Gemma4 g{{}, config.flag_or("attention_k_eq_v", false), config.flag_or("attention_bias", false), config.flag_or("enable_moe_block", false)};
  g.inputs.vocab = config.positive_or("vocab_size_per_layer_input", config_limit::vocab, 262144, "");
  if (config.has("hidden_size_per_layer_input") || !unified)
    g.inputs.size = config.has("hidden_size_per_layer_input") ? config.count_or_zero("hidden_size_per_layer_input", config_limit::hidden) : 256;
  const FullAttention global_heads = read_global_heads(config, heads, g.shares_keys);
  const DenseFfn dense = read_dense_ffn(config, defaults);
  const bool doubles = config.flag_or("use_double_wide_mlp", false);
  const MoeFfn moe = g.has_experts ? read_experts(config, dense.ffn_size) : MoeFfn{};
  if (config.error()) return;
  const LayerFlags sees_all = read_global_layers(config, n_layers, 6);
  if (config.error()) return;
  model.rotary_dim = heads.head_dim_k;
  model.n_rotary_tables = 2;
  model.rope_factors = global_heads.head_dim_k / 2;
  for (std::int64_t layer = 0; layer < n_layers; ++layer) {
    const bool shares = layer >= first_shared;
    const Mixer mixer = sees_all[static_cast<std::size_t>(layer)] != 0 ? Mixer(global_heads) : Mixer(SlidingAttention{heads, window});
    const Ffn ffn = g.has_experts ? Ffn(moe) : Ffn(DenseFfn{dense.ffn_size * (doubles && shares ? 2 : 1)});
    model.layers.push_back({.mixer = mixer, .ffn = ffn, .shares_cache = shares});
  }
  add_text(draft, g, root);
}

bool has_object(const KeyReader& config, std::string_view key) { return config.has(key) && config.json().find(key)->is_object(); }

void add_projection(Draft& draft, std::string_view name, std::int64_t width) {
  draft.tensors.part(ModelPart::tower);
  draft.tensors.outside();
  draft.tensors.linear(name, draft.model.hidden_size, width);
  draft.tensors.part(ModelPart::text);
}

/// Patches of pixels go through one matrix: no encoder.
void add_patch_embedder(TensorList& tensors, std::int64_t patch, std::int64_t width, std::int64_t positions) {
  tensors.part(ModelPart::tower);
  tensors.outside();
  tensors.norm("model.vision_embedder.patch_ln1", patch, true);
  tensors.linear("model.vision_embedder.patch_dense", width, patch, true);
  tensors.norm("model.vision_embedder.patch_ln2", width, true);
  tensors.add({.name = "model.vision_embedder.pos_embedding", .rows = 2 * positions, .cols = width});
  tensors.norm("model.vision_embedder.pos_norm", width, true);
  tensors.part(ModelPart::text);
}

}  // namespace

/// The language model of Gemma 4 (huggingface/transformers models/gemma4).
void read_gemma4_text(KeyReader& config, Draft& draft) { read_text(config, draft, "model.", draft.model.architecture != "gemma4_text"); }

/// Gemma 4 with its encoders, as far as the config has them.
void read_gemma4(KeyReader& config, Draft& draft) {
  std::optional<KeyReader> text = text_part(config);
  if (!text) return;
  read_text(*text, draft, "model.language_model.", false);
  config.adopt(*text);
  if (has_object(config, "vision_config")) {
    KeyReader vision = config.under("vision_config");
    Gemma4Vision v = read_gemma4_vision(vision);
    config.adopt(vision);
    if (config.error()) return;
    v.tower.tokens_per_image = config.positive_or("vision_soft_tokens_per_image", config_limit::context, 280, "");
    // The largest image: as many pooled patches as an image may take, as a square.
    for (std::int64_t side = 1; side * side <= v.tower.tokens_per_image; ++side) v.tower.image_size = side * v.pooling * v.tower.patch_size;
    draft.model.vision = v.tower;
    add_gemma4_vision(draft.tensors, v, "model.vision_tower.");
    add_projection(draft, "model.embed_vision.embedding_projection", v.tower.hidden_size);
  }
  if (!has_object(config, "audio_config")) return;
  KeyReader audio = config.under("audio_config");
  const Conformer conformer = read_gemma4_audio(audio);
  config.adopt(audio);
  if (config.error()) return;
  add_gemma4_audio(draft.tensors, conformer, "model.audio_tower.");
  add_projection(draft, "model.embed_audio.embedding_projection", conformer.output_size);
}

/// Gemma 4 12B (huggingface/transformers models/gemma4_unified): images and sound enter through projections.
void read_gemma4_unified(KeyReader& config, Draft& draft) {
  std::optional<KeyReader> text = text_part(config);
  if (!text) return;
  read_text(*text, draft, "model.language_model.", true);
  config.adopt(*text);
  if (has_object(config, "vision_config")) {
    KeyReader vision = config.under("vision_config");
    const std::int64_t side = vision.positive_or("patch_size", 1024, 16, "") * vision.positive_or("pooling_kernel_size", 64, 3, "");
    const std::int64_t width = vision.positive_or("mm_embed_dim", config_limit::hidden, 3840, "");
    const std::int64_t positions = vision.positive_or("mm_posemb_size", config_limit::context, 1120, "");
    const std::int64_t output = vision.positive_or("output_proj_dims", config_limit::hidden, 3840, "");
    config.adopt(vision);
    if (config.error()) return;
    add_patch_embedder(draft.tensors, side * side * 3, width, positions);
    add_projection(draft, "model.embed_vision.embedding_projection", output);
  }
  if (!has_object(config, "audio_config")) return;
  KeyReader audio = config.under("audio_config");
  const std::int64_t width = audio.positive_or("audio_embed_dim", config_limit::hidden, 640, "");
  config.adopt(audio);
  if (!config.error()) add_projection(draft, "model.embed_audio.embedding_projection", width);
}

}  // namespace weighbridge
