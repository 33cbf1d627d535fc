// SPDX-License-Identifier: Apache-2.0
#include "read/classic_decoder.hpp"
#include "read/decoder.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

namespace {

constexpr ClassicNames kNames{.embedding = "embeddings.word_embeddings",
                              .layer = "encoder.layers.{layer}.",
                              .norm = "norm1",
                              .qkv = "attn.Wqkv",
                              .attention_output = "attn.out_proj",
                              .up = "mlp.fc1",
                              .down = "mlp.fc2",
                              .head = "decoder"};

void add_ffn(TensorList& tensors, const Ffn& ffn, std::int64_t hidden, bool up_bias, bool down_bias) {
  if (const auto* moe = std::get_if<MoeFfn>(&ffn)) {
    tensors.linear("mlp.router.layer", moe->n_experts, hidden);
    tensors.copies(moe->n_experts);
    tensors.add({.name = "mlp.experts.mlp.w1", .rows = moe->moe_ffn_size, .cols = hidden});
    tensors.add({.name = "mlp.experts.mlp.w2", .rows = moe->moe_ffn_size, .cols = hidden});
    tensors.copies(1);
    tensors.add({.name = "mlp.experts.bias", .rows = hidden});
    return;
  }
  const auto& dense = std::get<DenseFfn>(ffn);
  if (dense.gated) tensors.linear("mlp.fc12", dense.ffn_size, hidden, up_bias);
  tensors.linear(dense.gated ? "mlp.fc11" : "mlp.fc1", dense.ffn_size, hidden, up_bias);
  tensors.linear("mlp.fc2", hidden, dense.ffn_size, down_bias);
}

bool is_gated(KeyReader& config) {
  const std::string activation = config.text_if_given("activation_function").value_or(config.has("num_experts") ? "gelu" : "swiglu");
  return activation == "swiglu" || activation == "geglu" || activation == "glu";
}

/// Experts in layers 1, 1 + `moe_every_n_layers`, ...
void fill_layers(KeyReader& config, Model& model, const FullAttention& heads, const DenseFfn& dense) {
  MoeFfn moe{.gated = false};
  moe.n_experts = config.count_or_zero("num_experts", config_limit::experts);
  moe.n_experts_used = config.positive_or("moe_top_k", config_limit::experts, 1, "");
  moe.moe_ffn_size = dense.ffn_size;
  const std::int64_t every = config.count_or_zero("moe_every_n_layers", config_limit::layers);
  const bool has_experts = moe.n_experts > 0 && every > 0;
  if (has_experts) check_experts_used(config, moe, "num_experts");
  const std::int64_t n_layers = read_layer_count(config);
  for (std::int64_t layer = 0; layer < n_layers; ++layer)
    model.layers.push_back({EncoderAttention{heads, 0}, has_experts && layer % every == 1 ? Ffn(moe) : Ffn(dense)});
}

}  // namespace

/// Nomic Embed (nomic-ai/contrastors src/contrastors/models/encoder): BERT with norms after the blocks, rotary positions, gates without biases in
/// v1.5; XLM-RoBERTa's biases and experts in every second layer in v2. The biases' keys are those of its config class.
void read_nomic_bert(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model, {.context = 8192, .tied = true});
  model.max_context_tokens = config.positive_or(first_key(config, {"n_positions", "max_trained_positions"}), config_limit::context, 8192, "");
  const FullAttention heads = read_full_attention(config, model, {.heads = 12});
  DenseFfn dense = read_dense_ffn(config, {.ffn = 4 * model.hidden_size});
  dense.gated = is_gated(config);
  const bool with_biases = !dense.gated;
  const bool qkv_bias = config.flag_or("qkv_proj_bias", with_biases);
  const bool up_bias = config.flag_or("mlp_fc1_bias", with_biases);
  const bool down_bias = config.flag_or("mlp_fc2_bias", with_biases);
  const std::int64_t n_types = config.count_or_zero("type_vocab_size", 1024);
  model.rotary_dim = rotary_part(heads.head_dim_k, config.fraction("rotary_emb_fraction", 1.0).value_or(1.0));
  fill_layers(config, model, heads, dense);
  if (config.error()) return;
  TensorList& tensors = draft.tensors;
  tensors.outside();
  tensors.linear(kNames.embedding, model.vocab_size, model.hidden_size);
  const std::int64_t stored_types = n_types > 0 || !with_biases ? n_types : 1;  // v2's config leaves its one type out
  if (stored_types > 0) tensors.linear("embeddings.token_type_embeddings", stored_types, model.hidden_size);
  tensors.norm("emb_ln", model.hidden_size, true);
  std::int64_t index = 0;
  for (const LayerSpec& layer : model.layers) {
    tensors.at_layer(index++, kNames.layer);
    add_classic_qkv(tensors, heads, model.hidden_size, kNames, qkv_bias);
    tensors.linear(kNames.attention_output, model.hidden_size, model.hidden_size, qkv_bias);
    tensors.norm("norm1", model.hidden_size, true);
    add_ffn(tensors, layer.ffn, model.hidden_size, up_bias, down_bias);
    tensors.norm("norm2", model.hidden_size, true);
  }
}

}  // namespace weighbridge
