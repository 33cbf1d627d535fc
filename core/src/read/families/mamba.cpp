// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/families/families.hpp"
#include "read/recurrent_tensors.hpp"

namespace weighbridge {

namespace {

/// No positions: any length runs. What llama.cpp's converter writes where it must write something.
constexpr std::int64_t kAnyContext = 1048576;

/// hidden_size was called d_model by the first checkpoints, num_hidden_layers n_layer.
std::int64_t renamed(KeyReader& config, std::string_view key, std::string_view old, std::int64_t most) {
  return config.positive(config.has(old) && !config.has(key) ? old : key, most);
}

void read_sizes(KeyReader& config, Model& model) {
  model.hidden_size = renamed(config, "hidden_size", "d_model", config_limit::hidden);
  model.vocab_size = config.positive("vocab_size", config_limit::vocab);
  model.max_context_tokens = config.positive_or("max_position_embeddings", config_limit::context, kAnyContext, "");
  model.tied_embeddings = config.flag_or("tie_word_embeddings", true);
}

/// A norm and the mixer in every layer.
template <class AddMixer>
void add_layers(Draft& draft, const RecurrentMixer& mixer, std::int64_t n_layers, AddMixer add_mixer) {
  Model& model = draft.model;
  model.layers.assign(static_cast<std::size_t>(n_layers), LayerSpec{mixer});
  draft.tensors.linear("backbone.embeddings", model.vocab_size, model.hidden_size);
  for (std::int64_t layer = 0; layer < n_layers; ++layer) {
    draft.tensors.at_layer(layer, "backbone.layers.{layer}.");
    draft.tensors.norm("norm", model.hidden_size);
    add_mixer();
  }
  draft.tensors.outside();
  draft.tensors.norm("backbone.norm_f", model.hidden_size);
  if (!model.tied_embeddings || draft.stores_tied_head) draft.tensors.linear("lm_head", model.vocab_size, model.hidden_size);
  if (model.tied_embeddings && draft.stores_tied_head) draft.tensors.mark_copy();
}

}  // namespace

/// Mamba and Falcon-Mamba (huggingface/transformers models/mamba, models/falcon_mamba), whose norms on dt, B and C have no weights.
void read_mamba(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_sizes(config, model);
  const std::int64_t expand = config.positive_or("expand", 64, 2, "");
  MambaShape shape;
  shape.inner_size = config.positive_or("intermediate_size", config_limit::ffn, expand * model.hidden_size, "");
  shape.state_size = config.positive_or("state_size", config_limit::head_dim, 16, "");
  shape.conv_kernel = config.positive_or("conv_kernel", 64, 4, "");
  const bool is_number = config.has("time_step_rank") && !config.json().find("time_step_rank")->is_string();
  shape.dt_rank = is_number ? config.positive("time_step_rank", config_limit::hidden) : (model.hidden_size + 15) / 16;
  shape.conv_bias = config.flag_or("use_conv_bias", true);
  shape.projection_bias = config.flag_or("use_bias", false);
  const std::int64_t n_layers = renamed(config, "num_hidden_layers", "n_layer", config_limit::layers);
  if (config.error()) return;
  add_layers(draft, mamba_mixer(shape), n_layers, [&] { add_mamba(draft.tensors, shape, model.hidden_size, "mixer."); });
}

/// Mamba-2 and Codestral Mamba (huggingface/transformers models/mamba2).
void read_mamba2(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_sizes(config, model);
  const std::int64_t expand = config.positive_or("expand", 64, 2, "");
  const std::int64_t head_dim = config.positive_or("head_dim", config_limit::head_dim, 64, "");
  Mamba2Shape shape;
  shape.inner_size = expand * model.hidden_size;
  shape.n_heads = config.positive_or("num_heads", config_limit::heads, head_dim > 0 ? shape.inner_size / head_dim : 0, "");
  shape.n_groups = config.positive_or("n_groups", config_limit::heads, 8, "");
  shape.state_size = config.positive_or("state_size", config_limit::head_dim, 128, "");
  shape.conv_kernel = config.positive_or("conv_kernel", 64, 4, "");
  shape.conv_bias = config.flag_or("use_conv_bias", true);
  shape.in_bias = shape.out_bias = config.flag_or("use_bias", false);
  model.tied_embeddings = config.flag_or("tie_word_embeddings", false);
  const std::int64_t n_layers = renamed(config, "num_hidden_layers", "n_layer", config_limit::layers);
  if (!config.error() && shape.n_heads * head_dim != shape.inner_size)
    config.fail(notice::not_divisible(config.path("num_heads"), "num_heads", grouped(shape.n_heads),
                                      "expand x hidden_size / head_dim, " + grouped(shape.inner_size / head_dim)));
  if (config.error()) return;
  add_layers(draft, mamba2_mixer(shape), n_layers, [&] { add_mamba2(draft.tensors, shape, model.hidden_size, "mixer."); });
}

}  // namespace weighbridge
