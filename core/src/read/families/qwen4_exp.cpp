// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "json_text.hpp"
#include "read/families/families.hpp"
#include "read/families/ngram_table.hpp"
#include "read/families/qwen_layers.hpp"
#include "read/towers/qwen_vit.hpp"

namespace weighbridge {

namespace {

constexpr DecoderStyle kGatedAttention{.output_gate = true, .qk_norm = true};

/// What a layer has in place of residual connections: `count` streams of the hidden state, mixed through `rank`.
struct HyperConnection {
  std::int64_t count = 0;
  std::int64_t rank = 0;
};

/// The embedding of n-grams that some layers add.
struct PerLayerEmbedding {
  std::vector<std::int64_t> layers;  ///< from 0, ascending
  std::int64_t size = 0;
  std::int64_t conv_kernel = 0;
  NgramTable table;

  /// What its convolution, dilated by the n-gram's length, keeps of one sequence.
  [[nodiscard]] std::int64_t state_values(std::int64_t width) const { return (conv_kernel - 1) * table.ngram_size * width; }
};

struct Extras {
  HyperConnection hyper;
  PerLayerEmbedding embedding;
};

Indexer read_indexer(KeyReader& config) {
  Indexer indexer;
  if (!config.has("indexer_n_heads")) return indexer;
  indexer.n_heads = config.positive("indexer_n_heads", config_limit::heads);
  indexer.head_dim = config.positive("indexer_head_dim", config_limit::head_dim);
  indexer.top_k = config.positive("indexer_budget", config_limit::context);
  // One key for so many tokens: vllm-project/vllm vllm/models/qwen4_exp/common/qsa_cache.py.
  indexer.tokens_per_key = config.positive("indexer_compress_ratio", config_limit::context);
  return indexer;
}

/// `ple_layer_ids`, which count from 1.
std::vector<std::int64_t> read_embedded_layers(KeyReader& config, std::int64_t n_layers) {
  std::vector<std::int64_t> layers;
  if (config.error() || !config.has("ple_layer_ids")) return layers;
  constexpr std::size_t most = 16;  // the tables of so many layers already hold more than any checkpoint
  const Json& ids = *config.json().find("ple_layer_ids");
  const std::string expected = "a list of at most 16 layer numbers from 1 to " + grouped(n_layers);
  for (const Json& id : ids) {
    const std::int64_t layer = whole_number_of(id).value_or(0);
    if (layer >= 1 && layer <= n_layers) layers.push_back(layer - 1);
  }
  if (!ids.is_array() || ids.size() > most || layers.size() != ids.size())
    config.fail(notice::wrong_type(config.path("ple_layer_ids"), "ple_layer_ids", excerpt(ids), expected));
  std::sort(layers.begin(), layers.end());
  layers.erase(std::unique(layers.begin(), layers.end()), layers.end());
  return layers;
}

Extras read_extras(KeyReader& config, const Model& model, std::int64_t n_layers) {
  Extras extras;
  extras.hyper.count = config.positive_or("hc_count", 64, 4, "");
  extras.hyper.rank = config.positive_or("hc_lowrank", config_limit::hidden, 320, "");
  PerLayerEmbedding& embedding = extras.embedding;
  embedding.layers = read_embedded_layers(config, n_layers);
  embedding.size = config.positive_or("ple_embed_dim", config_limit::hidden, model.hidden_size, "");
  embedding.conv_kernel = config.positive_or("ple_conv_kernel_size", 1024, 4, "");
  embedding.table = read_ngram_table(config);
  return extras;
}

void add_hyper_connection(Draft& draft, const HyperConnection& hyper, const std::string& name, bool injects) {
  const std::int64_t width = hyper.count * draft.model.hidden_size;
  draft.tensors.norm(name + "hc_norm", width);
  draft.tensors.linear(name + "input_mix_weight_down", hyper.rank, width);
  draft.tensors.linear(name + "input_mix_weight_up", width, hyper.rank);
  if (injects) draft.tensors.linear(name + "block_inject_weight", hyper.count, width);
}

void add_embedding(Draft& draft, const Extras& extras, std::int64_t index) {
  const PerLayerEmbedding& embedding = extras.embedding;
  const std::int64_t hidden = draft.model.hidden_size;
  const std::int64_t width = extras.hyper.count * hidden;
  TensorList& tensors = draft.tensors;
  tensors.linear("ple.ple_embedding.ngram_embedding", embedding.table.rows(index), embedding.size / embedding.table.n_heads());
  // What the hashes are made of: numbers that the config tells, stored all the same.
  for (const auto& [name, count] : {std::pair{"ple.ple_embedding.layer_multipliers", embedding.table.ngram_size},
                                    std::pair{"ple.ple_embedding.ngram_heads_vocab_sizes", embedding.table.n_heads()},
                                    std::pair{"ple.ple_embedding.ngram_heads_offsets", embedding.table.n_heads()}}) {
    tensors.add({.name = name, .rows = count, .role = TensorRole::norm, .type = dtype::int64});
    tensors.mark_copy();
  }
  tensors.linear("ple.key_proj", width, embedding.size);
  tensors.linear("ple.value_proj", hidden, embedding.size);
  for (const char* name : {"ple.norm_key", "ple.norm_query", "ple.norm_conv"}) tensors.norm(name, width);
  tensors.linear("ple.conv1d", width, embedding.conv_kernel);
}

void add_layer(Draft& draft, const LayerSpec& layer, const HyperConnection& hyper) {
  const std::int64_t hidden = draft.model.hidden_size;
  add_hyper_connection(draft, hyper, "attn_hyper_connection.", true);
  add_hybrid_mixer(draft, layer, kGatedAttention, {});
  const FullAttention* heads = grouped_attention(layer.mixer);
  if (heads != nullptr && heads->indexer.n_heads > 0) {
    const Indexer& indexer = heads->indexer;
    draft.tensors.linear("self_attn.indexer.index_qk_proj", (indexer.n_heads + 1) * indexer.head_dim, hidden);
    draft.tensors.norm("self_attn.indexer.q_layernorm", indexer.head_dim);
    draft.tensors.norm("self_attn.indexer.k_layernorm", indexer.head_dim);
  }
  add_hyper_connection(draft, hyper, "mlp_hyper_connection.", true);
  add_hybrid_ffn(draft, layer);
}

void add_decoder_of_qwen4(Draft& draft, const Extras& extras, const TextPlace& place) {
  const Model& model = draft.model;
  const std::string root(place.root);
  const std::string prefix = root + "layers.{layer}.";
  add_embeddings(draft, root);
  std::int64_t n_embedded = 0;
  for (std::int64_t index = 0; index < model.n_layers(); ++index) {
    draft.tensors.at_layer(index, prefix);
    const auto& embedded = extras.embedding.layers;
    if (std::find(embedded.begin(), embedded.end(), index) != embedded.end()) add_embedding(draft, extras, n_embedded++);
    add_layer(draft, model.layers[static_cast<std::size_t>(index)], extras.hyper);
  }
  draft.tensors.outside();
  add_hyper_connection(draft, extras.hyper, root + "hyper_connection_mixer.", false);  // there is no other last norm
  if (!model.tied_embeddings) draft.tensors.linear(place.head, model.vocab_size, model.hidden_size);
}

void add_mtp(Draft& draft, const HyperConnection& hyper) {
  const Model& model = draft.model;
  if (model.mtp_layers.empty()) return;
  TensorList& tensors = draft.tensors;
  tensors.part(ModelPart::mtp);
  tensors.outside();
  tensors.norm("mtp.pre_fc_norm_embedding", model.hidden_size);
  tensors.norm("mtp.pre_fc_norm_hidden", hyper.count * model.hidden_size);
  tensors.linear("mtp.fc_embedding", model.hidden_size, model.hidden_size);
  tensors.linear("mtp.fc_hidden", model.hidden_size, model.hidden_size);
  std::int64_t index = 0;
  for (const LayerSpec& layer : model.mtp_layers) {
    tensors.at_layer(index++, "mtp.layers.{layer}.");
    add_layer(draft, layer, hyper);
  }
  tensors.outside();
  add_hyper_connection(draft, hyper, "mtp.hyper_connection_mixer.", false);
  tensors.part(ModelPart::text);
}

/// What the layer's n-gram embedding keeps of a sequence is counted with its recurrent state, or beside its attention.
void keep_embedding_state(Model& model, const Extras& extras) {
  const std::int64_t values = extras.embedding.state_values(extras.hyper.count * model.hidden_size);
  for (const std::int64_t index : extras.embedding.layers) {
    const auto at = static_cast<std::size_t>(index);
    model.layers.change(at, at + 1, [&](LayerSpec& layer) {
      if (auto* delta = std::get_if<RecurrentMixer>(&layer.mixer))
        delta->state_values += values;
      else
        layer.beside = RecurrentMixer{.kind = RecurrentKind::short_conv, .inner_size = model.hidden_size, .state_values = values};
    });
  }
}

void read_text(KeyReader& config, Draft& draft, TextPlace place) {
  Model& model = draft.model;
  read_sizes(config, model, 248320, 32768);
  model.tied_embeddings = place.tied.value_or(model.tied_embeddings);
  FullAttention heads = read_hybrid_attention(config, 16, 2);
  heads.indexer = read_indexer(config);
  const RecurrentMixer delta = read_gated_delta_net(config);
  const MoeFfn moe = read_qwen_experts(config, 512, 10, 512, 512);
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  const std::vector<Mixer> mixers = read_hybrid_mixers(config, delta, heads, n_layers);
  const std::int64_t n_mtp = config.count_or_zero("mtp_num_hidden_layers", 64);
  const Extras extras = read_extras(config, model, n_layers);
  model.rotary_dim = read_quarter_rotary(config, heads.head_dim_k);
  if (config.error()) return;
  for (const Mixer& mixer : mixers) model.layers.push_back({mixer, moe});
  model.mtp_layers.assign(static_cast<std::size_t>(n_mtp), LayerSpec{heads, moe});
  keep_embedding_state(model, extras);
  add_decoder_of_qwen4(draft, extras, place);
  add_mtp(draft, extras.hyper);
}

}  // namespace

/// Qwen4-Exp (huggingface/transformers models/qwen4_exp; MTP: vllm-project/vllm vllm/models/qwen4_exp): the layers of Qwen3.5 with experts between
/// hyper-connections, attention that an indexer makes sparse, and a table of hashed n-grams in the layers of `ple_layer_ids`.
void read_qwen4_exp(KeyReader& config, Draft& draft) {
  std::optional<KeyReader> text = object_under(config, "text_config");
  if (!text) return read_text(config, draft, {});
  read_text(*text, draft, {.root = "model.language_model.", .tied = config.flag_if_given("tie_word_embeddings")});
  config.adopt(*text);
  add_qwen_vit(config, draft, "model.visual.", {.generation = QwenVitGeneration::qwen3, .has_deepstack = false});
}

}  // namespace weighbridge
