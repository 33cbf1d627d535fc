// SPDX-License-Identifier: Apache-2.0
#include "read/classic_decoder.hpp"
#include "read/decoder.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

namespace {

constexpr ClassicNames kNames{.embedding = "embeddings.tok_embeddings",
                              .layer = "layers.{layer}.",
                              .norm = "attn_norm",
                              .qkv = "attn.Wqkv",
                              .attention_output = "attn.Wo",
                              .up = "mlp.Wi",
                              .down = "mlp.Wo",
                              .last_norm = "final_norm",
                              .head = "decoder"};

struct Biases {
  bool norm = false;
  bool attention = false;
  bool ffn = false;
};

/// The first layer takes the embeddings' norm for its own.
void add_layers(Draft& draft, const DenseFfn& ffn, const Biases& bias) {
  const std::int64_t hidden = draft.model.hidden_size;
  std::int64_t index = 0;
  for (const LayerSpec& layer : draft.model.layers) {
    draft.tensors.at_layer(index, kNames.layer);
    if (index++ > 0) draft.tensors.norm(kNames.norm, hidden, bias.norm);
    add_classic_qkv(draft.tensors, *grouped_attention(layer.mixer), hidden, kNames, bias.attention);
    draft.tensors.linear(kNames.attention_output, hidden, hidden, bias.attention);
    draft.tensors.norm("mlp_norm", hidden, bias.norm);
    draft.tensors.linear(kNames.up, 2 * ffn.ffn_size, hidden, bias.ffn);
    draft.tensors.linear(kNames.down, hidden, ffn.ffn_size, bias.ffn);
  }
}

/// ModernBertForMaskedLM: a prediction head and the decoder's bias; the decoder's matrix is the embedding.
void add_heads(KeyReader& config, Draft& draft, bool norm_bias) {
  const std::string kind = read_architecture(config);
  const bool predicts = kind.ends_with("ForMaskedLM");
  const bool classifies = kind.ends_with("ForSequenceClassification");
  if (!predicts && !classifies) return;
  const std::int64_t hidden = draft.model.hidden_size;
  draft.tensors.linear("head.dense", hidden, hidden, config.flag_or("classifier_bias", false));
  draft.tensors.norm("head.norm", hidden, norm_bias);
  if (classifies) draft.tensors.linear("classifier", config.positive_or("num_labels", config_limit::vocab, 2, ""), hidden, true);
  if (predicts && config.flag_or("decoder_bias", true))
    draft.tensors.add({.name = "decoder.bias", .rows = draft.model.vocab_size, .role = TensorRole::norm});
}

}  // namespace

/// ModernBERT (huggingface/transformers models/modernbert): every `global_attn_every_n_layers`-th layer, the first among them, sees all; the others
/// `local_attention` tokens around.
void read_modernbert(KeyReader& config, Draft& draft) {
  constexpr ClassDefaults defaults{.hidden = 768, .layers = 22, .heads = 12, .ffn = 1152, .vocab = 50368, .context = 8192, .tied = true};
  Model& model = draft.model;
  read_common(config, model, defaults);
  const FullAttention heads = read_full_attention(config, model, defaults);
  const DenseFfn ffn = read_dense_ffn(config, defaults);
  const Biases bias{config.flag_or("norm_bias", false), config.flag_or("attention_bias", false), config.flag_or("mlp_bias", false)};
  const std::int64_t window = config.positive_or("local_attention", config_limit::context, 128, "");
  const std::int64_t every = config.positive_or("global_attn_every_n_layers", config_limit::layers, 3, "");
  const std::int64_t n_layers = read_layer_count(config, defaults);
  model.rotary_dim = heads.head_dim_k;
  model.n_rotary_tables = 2;
  for (std::int64_t layer = 0; layer < n_layers; ++layer) model.layers.push_back({EncoderAttention{heads, layer % every == 0 ? 0 : window}, ffn});
  if (config.error()) return;
  draft.tensors.outside();
  draft.tensors.linear(kNames.embedding, model.vocab_size, model.hidden_size);
  draft.tensors.norm("embeddings.norm", model.hidden_size, bias.norm);
  add_layers(draft, ffn, bias);
  draft.tensors.outside();
  draft.tensors.norm(kNames.last_norm, model.hidden_size, bias.norm);
  add_heads(config, draft, bias.norm);
}

}  // namespace weighbridge
