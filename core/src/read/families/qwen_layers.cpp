// SPDX-License-Identifier: Apache-2.0
#include "read/families/qwen_layers.hpp"

#include "json_text.hpp"

namespace weighbridge {

namespace {

/// `mlp_only_layers`: the layers that stay dense although their turn would be MoE.
LayerFlags read_dense_layers(KeyReader& config, std::int64_t n_layers) {
  LayerFlags dense(static_cast<std::size_t>(n_layers), 0);
  if (config.error() || !config.has("mlp_only_layers")) return dense;
  const Json& listed = *config.json().find("mlp_only_layers");
  const std::string expected = "a list of layer numbers from 0 to " + grouped(n_layers - 1);
  if (!listed.is_array()) config.fail(notice::wrong_type(config.path("mlp_only_layers"), "mlp_only_layers", excerpt(listed), expected));
  for (const Json& item : listed) {
    const std::optional<std::int64_t> layer = whole_number_of(item);
    if (layer && *layer >= 0 && *layer < n_layers)
      dense[static_cast<std::size_t>(*layer)] = 1;
    else
      config.fail(notice::out_of_range(config.path("mlp_only_layers"), "mlp_only_layers", excerpt(item), expected));
  }
  return dense;
}

/// What `layer_types` says, 1 = linear attention; empty without that key.
LayerFlags read_linear_layers(KeyReader& config, std::int64_t n_layers) {
  LayerFlags linear;
  if (config.error() || !config.has("layer_types")) return linear;
  const Json& types = *config.json().find("layer_types");
  const std::string expected = "\"linear_attention\" or a kind of attention for each of num_hidden_layers, " + grouped(n_layers);
  const bool whole = types.is_array() && static_cast<std::int64_t>(types.size()) == n_layers;
  if (!whole) {
    config.fail(notice::wrong_type(config.path("layer_types"), "layer_types", excerpt(types), expected));
    return linear;
  }
  for (const Json& type : types) {
    const bool is_linear = type == "linear_attention";
    if (!is_linear && type != "full_attention" && type != "deepseek_sparse_attention" && type != "hybrid_indexed")
      config.fail(notice::unknown("unsupported", config.path("layer_types"), "layer_types", excerpt(type), expected));
    linear.push_back(is_linear ? 1 : 0);
  }
  return linear;
}

}  // namespace

std::optional<KeyReader> object_under(KeyReader& config, std::string_view key) {
  if (config.error() || !config.has(key)) return std::nullopt;
  const Json& value = *config.json().find(key);
  if (value.is_object()) return config.under(key);
  config.fail(notice::wrong_type(config.path(key), std::string(key), excerpt(value), "an object"));
  return std::nullopt;
}

void read_sizes(KeyReader& config, Model& model, std::int64_t vocab_size, std::int64_t context_tokens) {
  model.hidden_size = config.positive("hidden_size", config_limit::hidden);
  model.vocab_size = config.positive_or("vocab_size", config_limit::vocab, vocab_size, "");
  model.max_context_tokens = config.positive_or("max_position_embeddings", config_limit::context, context_tokens, "");
  model.tied_embeddings = config.flag_or("tie_word_embeddings", false);
}

MoeFfn read_qwen_experts(KeyReader& config, std::int64_t n_experts, std::int64_t n_used, std::int64_t moe_ffn_size, std::int64_t shared_ffn_size) {
  MoeFfn moe;
  moe.n_experts = config.positive_or("num_experts", config_limit::experts, n_experts, "");
  moe.n_experts_used = config.positive_or("num_experts_per_tok", config_limit::experts, n_used, "");
  moe.moe_ffn_size = config.positive_or("moe_intermediate_size", config_limit::moe_ffn, moe_ffn_size, "");
  moe.shared_ffn_size = config.whole_number_if_given("shared_expert_intermediate_size", 0, config_limit::ffn).value_or(shared_ffn_size);
  if (!config.error() && moe.n_experts_used > moe.n_experts)
    config.fail(notice::out_of_range(config.path("num_experts_per_tok"), "num_experts_per_tok", grouped(moe.n_experts_used),
                                     "at most num_experts, " + grouped(moe.n_experts)));
  return moe;
}

std::vector<Ffn> read_sparse_ffns(KeyReader& config, const MoeFfn& moe, std::int64_t n_layers, std::int64_t dense_size) {
  const std::int64_t step = config.positive_or("decoder_sparse_step", config_limit::layers, 1, "");
  std::vector<Ffn> ffns;
  if (config.error()) return ffns;
  const LayerFlags stays_dense = read_dense_layers(config, n_layers);
  DenseFfn dense;
  for (std::int64_t layer = 0; layer < n_layers; ++layer) {
    const bool is_moe = (layer + 1) % step == 0 && stays_dense[static_cast<std::size_t>(layer)] == 0;
    if (!is_moe && dense.ffn_size == 0) {
      constexpr std::string_view key = "intermediate_size";
      dense.ffn_size = dense_size > 0 ? config.positive_or(key, config_limit::ffn, dense_size, "") : config.positive(key, config_limit::ffn);
    }
    ffns.push_back(is_moe ? Ffn(moe) : Ffn(dense));
  }
  return ffns;
}

std::int64_t read_quarter_rotary(KeyReader& config, std::int64_t head_dim) {
  std::optional<double> factor = config.fraction("partial_rotary_factor", 1.0);
  if (std::optional<KeyReader> rope = object_under(config, "rope_parameters")) {
    if (!factor) factor = rope->fraction("partial_rotary_factor", 1.0);
    config.adopt(*rope);
  }
  return rotary_part(head_dim, factor.value_or(0.25));
}

RecurrentMixer read_gated_delta_net(KeyReader& config) {
  const std::int64_t key_heads = config.positive_or("linear_num_key_heads", config_limit::heads, 16, "");
  const std::int64_t key_dim = config.positive_or("linear_key_head_dim", config_limit::head_dim, 128, "");
  const std::int64_t value_dim = config.positive_or("linear_value_head_dim", config_limit::head_dim, 128, "");
  RecurrentMixer mixer;
  mixer.kind = RecurrentKind::gated_delta_net;
  mixer.n_heads = config.positive_or("linear_num_value_heads", config_limit::heads, 32, "");
  mixer.inner_size = mixer.n_heads * value_dim;
  mixer.state_values = mixer.n_heads * key_dim * value_dim;
  mixer.conv_channels = 2 * key_heads * key_dim + mixer.inner_size;
  mixer.conv_kernel = config.positive_or("linear_conv_kernel_dim", 1024, 4, "");
  if (!config.error() && mixer.n_heads % key_heads != 0)
    config.fail(notice::not_divisible(config.path("linear_num_value_heads"), "linear_num_value_heads", grouped(mixer.n_heads),
                                      "a multiple of linear_num_key_heads, " + grouped(key_heads)));
  return mixer;
}

void add_gated_delta_net(TensorList& tensors, const RecurrentMixer& mixer, std::int64_t hidden, const DeltaStyle& style) {
  const std::optional<DType> kept = style.keeps_f32 ? std::optional(dtype::f32) : std::nullopt;
  if (style.fused) {
    tensors.linear("linear_attn.in_proj_qkvz", mixer.conv_channels + mixer.inner_size, hidden);
    tensors.linear("linear_attn.in_proj_ba", 2 * mixer.n_heads, hidden);
  } else {
    tensors.linear("linear_attn.in_proj_qkv", mixer.conv_channels, hidden);
    tensors.linear("linear_attn.in_proj_z", mixer.inner_size, hidden);
    tensors.linear("linear_attn.in_proj_b", mixer.n_heads, hidden);
    tensors.linear("linear_attn.in_proj_a", mixer.n_heads, hidden);
  }
  tensors.linear("linear_attn.conv1d", mixer.conv_channels, mixer.conv_kernel);
  tensors.add({.name = "linear_attn.dt_bias", .rows = mixer.n_heads});
  tensors.add({.name = "linear_attn.A_log", .rows = mixer.n_heads, .type = kept});
  tensors.add({.name = "linear_attn.norm.weight", .rows = mixer.inner_size / mixer.n_heads, .type = kept});
  tensors.linear("linear_attn.out_proj", hidden, mixer.inner_size);
}

std::vector<Mixer> read_hybrid_mixers(KeyReader& config, const RecurrentMixer& delta, const FullAttention& heads, std::int64_t n_layers) {
  const std::int64_t interval = config.positive_or("full_attention_interval", config_limit::layers, 4, "");
  const LayerFlags linear = read_linear_layers(config, n_layers);
  std::vector<Mixer> mixers;
  if (config.error()) return mixers;
  for (std::int64_t layer = 0; layer < n_layers; ++layer) {
    const bool is_linear = linear.empty() ? (layer + 1) % interval != 0 : linear[static_cast<std::size_t>(layer)] != 0;
    mixers.push_back(is_linear ? Mixer(delta) : Mixer(heads));
  }
  return mixers;
}

FullAttention read_hybrid_attention(KeyReader& config, std::int64_t n_heads, std::int64_t n_kv_heads) {
  FullAttention heads;
  heads.n_heads = config.positive_or("num_attention_heads", config_limit::heads, n_heads, "");
  heads.n_kv_heads = config.positive_or("num_key_value_heads", config_limit::heads, n_kv_heads, "");
  heads.head_dim_k = heads.head_dim_v = config.positive_or("head_dim", config_limit::head_dim, 256, "");
  check_head_groups(config, heads);
  return heads;
}

void add_hybrid_mixer(Draft& draft, const LayerSpec& layer, const DecoderStyle& attention, const DeltaStyle& style) {
  const std::int64_t hidden = draft.model.hidden_size;
  if (const auto* delta = std::get_if<RecurrentMixer>(&layer.mixer)) add_gated_delta_net(draft.tensors, *delta, hidden, style);
  if (const FullAttention* heads = grouped_attention(layer.mixer)) add_attention(draft.tensors, *heads, hidden, attention);
}

void add_hybrid_ffn(Draft& draft, const LayerSpec& layer) {
  const std::int64_t hidden = draft.model.hidden_size;
  if (const auto* dense = std::get_if<DenseFfn>(&layer.ffn)) add_dense_ffn(draft.tensors, *dense, hidden);
  if (const auto* moe = std::get_if<MoeFfn>(&layer.ffn)) add_experts(draft.tensors, *moe, hidden, kQwenExperts);
}

}  // namespace weighbridge
