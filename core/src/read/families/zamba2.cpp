// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "json_text.hpp"
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"
#include "read/recurrent_tensors.hpp"

namespace weighbridge {

namespace {

/// The blocks of attention and feed-forward that hybrid layers share, each with adapters of its own for every layer that uses it.
struct Shared {
  FullAttention attention;
  DenseFfn ffn;
  std::int64_t n_blocks = 1;
  std::int64_t adapter_rank = 0;
  bool attention_adapters = false;
  bool bias = false;
};

/// The layers that the class takes to be hybrid where the config does not say.
LayerFlags usual_hybrids(std::int64_t n_layers) {
  LayerFlags hybrid(static_cast<std::size_t>(n_layers), 0);
  for (const std::size_t layer : {6U, 12U, 18U, 24U, 30U, 36U, 42U, 47U, 51U})
    if (layer < hybrid.size()) hybrid[layer] = 1;
  return hybrid;
}

/// The config names them by number, or by kind layer for layer.
LayerFlags read_hybrids(KeyReader& config, std::int64_t n_layers) {
  if (config.has("layers_block_type")) return read_layer_kinds(config, "layers_block_type", n_layers, {"mamba", "hybrid"});
  if (config.has("hybrid_layer_ids")) return read_listed_layers(config, "hybrid_layer_ids", n_layers);
  return usual_hybrids(n_layers);
}

Mamba2Shape read_mamba2(KeyReader& config, std::int64_t hidden, bool bias) {
  Mamba2Shape shape;
  shape.inner_size = config.positive_or("mamba_expand", 64, 2, "") * hidden;
  shape.n_heads = config.positive_or("n_mamba_heads", config_limit::heads, 8, "");
  shape.n_groups = config.positive_or("mamba_ngroups", config_limit::heads, 1, "");
  shape.state_size = config.positive_or("mamba_d_state", config_limit::head_dim, 64, "");
  shape.conv_kernel = config.positive_or("mamba_d_conv", 64, 4, "");
  shape.conv_bias = config.flag_or("use_conv_bias", true);
  shape.in_bias = shape.out_bias = bias;
  return shape;
}

void add_adapter(TensorList& tensors, const std::string& name, std::int64_t rows, std::int64_t cols, std::int64_t rank) {
  tensors.linear(name + ".0", rank, cols);
  tensors.linear(name + ".1", rows, rank);
}

/// What the `use`-th hybrid layer brings: the shared block if it is the first to use it, and always the adapters and its own projection.
void add_shared(TensorList& tensors, const Shared& shared, std::int64_t use, std::int64_t hidden) {
  const std::string block = "shared_transformer.";
  if (use < shared.n_blocks) {
    tensors.norm(block + "input_layernorm", 2 * hidden);
    const std::int64_t q = shared.attention.n_heads * shared.attention.head_dim_k;
    const std::int64_t kv = shared.attention.n_kv_heads * shared.attention.head_dim_k;
    tensors.add({.name = block + "self_attn.q_proj.weight", .rows = q, .cols = 2 * hidden, .role = TensorRole::attention_q});
    tensors.add({.name = block + "self_attn.k_proj.weight", .rows = kv, .cols = 2 * hidden, .role = TensorRole::attention_k});
    tensors.add({.name = block + "self_attn.v_proj.weight", .rows = kv, .cols = 2 * hidden, .role = TensorRole::attention_v});
    tensors.add({.name = block + "self_attn.o_proj.weight", .rows = hidden, .cols = q, .role = TensorRole::attention_output});
    tensors.norm(block + "pre_ff_layernorm", hidden);
    tensors.linear(block + "feed_forward.gate_up_proj", 2 * shared.ffn.ffn_size, hidden, shared.bias);
    tensors.linear(block + "feed_forward.down_proj", hidden, shared.ffn.ffn_size, shared.bias);
  }
  const std::string place = "_adapter_list." + std::to_string(use);
  add_adapter(tensors, block + "feed_forward.gate_up_proj" + place, 2 * shared.ffn.ffn_size, hidden, shared.adapter_rank);
  for (const char* which : {"q", "k", "v"})
    if (shared.attention_adapters) add_adapter(tensors, block + "self_attn.linear_" + which + place, 2 * hidden, 2 * hidden, shared.adapter_rank);
  tensors.linear("linear", hidden, hidden);
}

}  // namespace

/// Zamba2 (huggingface/transformers models/zamba2): Mamba-2 in every layer; hybrid layers run one of a few shared blocks before it, in turn, on the
/// layer's input beside the embedding. A shared block is stored once, and each of its layers has a cache of its own.
void read_zamba2(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model, {.hidden = 2560, .vocab = 32000, .context = 4096, .tied = true});
  const std::int64_t hidden = model.hidden_size;
  Shared shared;
  shared.attention.n_heads = config.positive_or("num_attention_heads", config_limit::heads, 32, "");
  shared.attention.n_kv_heads = config.positive_or("num_key_value_heads", config_limit::heads, shared.attention.n_heads, "");
  if (!config.error()) shared.attention.head_dim_k = shared.attention.head_dim_v = 2 * hidden / shared.attention.n_heads;
  shared.ffn.ffn_size = config.positive_or("intermediate_size", config_limit::ffn, 4 * hidden, "");
  shared.n_blocks = config.positive_or("num_mem_blocks", 64, 1, "");
  shared.adapter_rank = config.positive_or("adapter_rank", config_limit::hidden, 128, "");
  shared.attention_adapters = config.flag_or("use_shared_attention_adapter", false);
  shared.bias = config.flag_or("add_bias_linear", false);
  check_head_groups(config, shared.attention);
  const Mamba2Shape shape = read_mamba2(config, hidden, shared.bias);
  const std::int64_t n_layers = read_layer_count(config, {.layers = 54});
  if (config.error()) return;
  const LayerFlags hybrid = read_hybrids(config, n_layers);
  if (config.error()) return;

  model.rotary_dim = config.flag_or("use_mem_rope", false) ? shared.attention.head_dim_k : 0;
  add_embeddings(draft);
  std::int64_t uses = 0;
  for (std::int64_t layer = 0; layer < n_layers; ++layer) {
    const bool is_hybrid = hybrid[static_cast<std::size_t>(layer)] != 0;
    model.layers.push_back(is_hybrid ? LayerSpec{shared.attention, shared.ffn, mamba2_mixer(shape)} : LayerSpec{mamba2_mixer(shape)});
    draft.tensors.at_layer(layer);
    if (is_hybrid) add_shared(draft.tensors, shared, uses++, hidden);
    draft.tensors.norm(is_hybrid ? "mamba_decoder.input_layernorm" : "input_layernorm", hidden);
    add_mamba2(draft.tensors, shape, hidden, is_hybrid ? "mamba_decoder.mamba." : "mamba.");
  }
  add_head(draft, "model.", "lm_head", "final_layernorm");
}

}  // namespace weighbridge
