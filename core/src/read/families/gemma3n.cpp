// SPDX-License-Identifier: Apache-2.0
#include "json_text.hpp"
#include "read/families/families.hpp"
#include "read/families/gemma_layers.hpp"
#include "read/towers/conformer.hpp"
#include "read/towers/mobilenet_v5.hpp"

namespace weighbridge {

namespace {

struct Gemma3n {
  LayerInputs inputs;
  std::int64_t n_streams = 0;    ///< versions of the hidden state that run side by side (AltUp)
  std::int64_t laurel_rank = 0;  ///< of the low-rank path beside attention
};

/// intermediate_size: one number, or one a layer.
std::vector<std::int64_t> read_ffn_sizes(KeyReader& config, std::int64_t n_layers) {
  const auto given = config.json().find("intermediate_size");
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(n_layers), 0);
  if (given == config.json().end() || !given->is_array()) {
    sizes.assign(sizes.size(), config.positive_or("intermediate_size", config_limit::ffn, 16384, ""));
    return sizes;
  }
  for (std::size_t layer = 0; layer < sizes.size() && layer < given->size(); ++layer) sizes[layer] = whole_number_of((*given)[layer]).value_or(0);
  for (const std::int64_t size : sizes)
    if (size < 1 || size > config_limit::ffn || given->size() != sizes.size())
      config.fail(notice::wrong_type(config.path("intermediate_size"), "intermediate_size", excerpt(*given),
                                     "a size, or one for each of num_hidden_layers, " + grouped(n_layers)));
  return sizes;
}

/// AltUp's predictor and corrector, LAuReL's two matrices.
void add_streams(TensorList& tensors, const Gemma3n& n, std::int64_t hidden) {
  tensors.add({.name = "altup.correct_output_scale", .rows = hidden});
  tensors.linear("altup.correction_coefs", n.n_streams, n.n_streams);
  tensors.linear("altup.prediction_coefs", n.n_streams * n.n_streams, n.n_streams);
  tensors.linear("altup.modality_router", n.n_streams, hidden);
  tensors.norm("altup.router_norm", hidden);
  tensors.linear("laurel.linear_left", n.laurel_rank, hidden);
  tensors.linear("laurel.linear_right", hidden, n.laurel_rank);
  tensors.norm("laurel.post_laurel_norm", hidden);
}

void add_text(Draft& draft, const Gemma3n& n, const std::string& root) {
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = draft.model.hidden_size;
  const std::string prefix = root + "layers.{layer}.";
  add_embeddings(draft, root);
  add_layer_inputs(draft, n.inputs, root);
  tensors.add({.name = root + "altup_projections.weight", .rows = hidden, .cols = hidden, .copies = n.n_streams - 1});
  tensors.add({.name = root + "altup_unembed_projections.weight", .rows = hidden, .cols = hidden, .copies = n.n_streams - 1});
  std::int64_t index = 0;
  for (const LayerSpec& layer : draft.model.layers) {
    tensors.at_layer(index++, prefix);
    add_gemma_norms(tensors, hidden);
    add_attention(tensors, *grouped_attention(layer.mixer), hidden, {.qk_norm = true});
    add_streams(tensors, n, hidden);
    add_layer_input_gate(tensors, n.inputs, hidden);
    add_dense_ffn(tensors, std::get<DenseFfn>(layer.ffn), hidden);
  }
  add_head(draft, root);
}

/// Layers that read an earlier layer's cache store projections for keys and values all the same.
void read_text(KeyReader& config, Draft& draft, const std::string& root) {
  constexpr ClassDefaults defaults{
      .hidden = 2048, .layers = 35, .heads = 8, .kv_heads = 2, .head_dim = 256, .vocab = 262400, .context = 32768, .tied = true};
  Model& model = draft.model;
  read_common(config, model, defaults);
  const FullAttention heads = read_full_attention(config, model, defaults);
  const std::int64_t window = config.positive_or("sliding_window", config_limit::context, 512, "");
  const std::int64_t n_layers = read_layer_count(config, defaults);
  const std::int64_t first_shared = read_first_shared_layer(config, n_layers, 15);
  const Gemma3n n{{config.positive_or("vocab_size_per_layer_input", config_limit::vocab, 262144, ""),
                   config.positive_or("hidden_size_per_layer_input", config_limit::hidden, 256, "")},
                  config.positive_or("altup_num_inputs", 64, 4, ""),
                  config.positive_or("laurel_rank", config_limit::hidden, 64, "")};
  if (config.error()) return;
  const LayerFlags sees_all = read_global_layers(config, n_layers, 5);
  const std::vector<std::int64_t> ffn_sizes = read_ffn_sizes(config, n_layers);
  if (config.error()) return;
  model.rotary_dim = heads.head_dim_k;
  model.n_rotary_tables = 2;
  for (std::int64_t layer = 0; layer < n_layers; ++layer) {
    const auto at = static_cast<std::size_t>(layer);
    const Mixer mixer = sees_all[at] != 0 ? Mixer(heads) : Mixer(SlidingAttention{heads, window});
    model.layers.push_back({.mixer = mixer, .ffn = DenseFfn{ffn_sizes[at]}, .shares_cache = layer >= first_shared});
  }
  add_text(draft, n, root);
}

/// The projection of an encoder's output, and the embeddings of its special tokens.
void add_embedder(TensorList& tensors, const std::string& name, std::int64_t vocab, std::int64_t width, std::int64_t hidden) {
  tensors.part(ModelPart::tower);
  tensors.outside();
  tensors.linear(name + ".embedding", vocab, width);
  tensors.norm(name + ".hard_embedding_norm", width);
  tensors.norm(name + ".soft_embedding_norm", width);
  tensors.linear(name + ".embedding_projection", hidden, width);
  tensors.part(ModelPart::text);
}

}  // namespace

/// The language model of Gemma 3n (huggingface/transformers models/gemma3n).
void read_gemma3n_text(KeyReader& config, Draft& draft) { read_text(config, draft, "model."); }

/// Gemma 3n with its encoders. A config without `audio_config` or `vision_config` takes the class's: the published models have both.
void read_gemma3n(KeyReader& config, Draft& draft) {
  std::optional<KeyReader> text = text_part(config);
  if (!text) return;
  read_text(*text, draft, "model.language_model.");
  config.adopt(*text);
  static const Json empty = Json::object();
  Notices unused;
  const bool hears = config.has("audio_config") && config.json().find("audio_config")->is_object();
  KeyReader audio = hears ? config.under("audio_config") : KeyReader(empty, "", unused);
  const Conformer conformer = read_gemma3n_audio(audio);
  const std::int64_t audio_vocab = audio.positive_or("vocab_size", config_limit::vocab, 128, "");
  config.adopt(audio);
  if (config.error()) return;
  const std::int64_t hidden = draft.model.hidden_size;
  add_gemma3n_audio(draft.tensors, conformer, "model.audio_tower.");
  add_embedder(draft.tensors, "model.embed_audio", audio_vocab, conformer.width, hidden);
  add_mobilenet_v5(draft.tensors, "model.vision_tower.timm_model.");
  add_embedder(draft.tensors, "model.embed_vision", 128, kMobilenetV5Width, hidden);
}

}  // namespace weighbridge
