// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "key_reader.hpp"
#include "weighbridge/model.hpp"

namespace weighbridge {

/// Limits of what a config may claim: each several times the largest model known, and small enough that no product of them overflows int64.
namespace config_limit {
inline constexpr std::int64_t layers = 4096;
inline constexpr std::int64_t hidden = std::int64_t{1} << 18;
inline constexpr std::int64_t ffn = std::int64_t{1} << 20;
inline constexpr std::int64_t moe_ffn = std::int64_t{1} << 17;
inline constexpr std::int64_t heads = std::int64_t{1} << 14;
inline constexpr std::int64_t head_dim = std::int64_t{1} << 14;
inline constexpr std::int64_t experts = std::int64_t{1} << 14;
inline constexpr std::int64_t vocab = std::int64_t{1} << 24;
inline constexpr std::int64_t context = std::int64_t{1} << 27;
}  // namespace config_limit

/// What most decoders share. Readers of one family call these and add what is their own.

/// What a family's configuration class takes for keys that a config leaves out; 0: the key is required (key and value heads: as many as heads).
struct ClassDefaults {
  std::int64_t hidden = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;  ///< 0: hidden size / heads
  std::int64_t ffn = 0;
  std::int64_t vocab = 0;
  std::int64_t context = 0;
  bool tied = false;
};

/// hidden_size, vocab_size, max_position_embeddings, tie_word_embeddings, under these names or those of GPT-2 and its like.
void read_common(KeyReader& config, Model& model, const ClassDefaults& defaults = {});
/// num_hidden_layers.
[[nodiscard]] std::int64_t read_layer_count(KeyReader& config, const ClassDefaults& defaults = {});
/// intermediate_size.
[[nodiscard]] DenseFfn read_dense_ffn(KeyReader& config, const ClassDefaults& defaults = {});

/// The first of `keys`, which mean the same, that the config has; the first of all if it has none.
[[nodiscard]] std::string_view first_key(const KeyReader& config, std::initializer_list<std::string_view> keys);

/// What `architectures` names, such as "BertForSequenceClassification"; empty if it is not there.
[[nodiscard]] std::string read_architecture(const KeyReader& config);

/// `config`'s language model: the object under the first of text_config, llm_config and language_config, or all of it where its keys stand without
/// such an object; an error if there is neither.
[[nodiscard]] std::optional<KeyReader> text_part(KeyReader& config);

/// Attention as the llama-like families write it: num_attention_heads, num_key_value_heads, head_dim.
[[nodiscard]] FullAttention read_full_attention(KeyReader& config, const Model& model, const ClassDefaults& defaults = {});
/// The number of an encoder's layers whose outputs the projector takes, side by side: `vision_feature_layer` is one number or a list.
[[nodiscard]] std::int64_t count_feature_layers(const KeyReader& config);
/// Fails where an encoder's image holds no whole patch; `vision` is the reader of its keys.
void check_image_size(KeyReader& vision, const VisionTower& tower);
/// Fails unless the query heads are a multiple of the key and value heads.
void check_head_groups(KeyReader& config, const FullAttention& attention);

/// One flag a layer, 1 or 0. Not vector<bool>: its bit packing costs 2 kB of WebAssembly.
using LayerFlags = std::vector<char>;

/// The mixer of each of `n_layers` layers: those that `layer_types` names "sliding_attention" see `window` tokens; without that key,
/// those for which `slides(index)` is true. A window of 0 means that no layer slides.
template <class Slides>
[[nodiscard]] std::vector<Mixer> mixers_with_window(KeyReader& config, const FullAttention& heads, std::int64_t n_layers, std::int64_t window,
                                                    Slides slides);
/// What `layer_types` says, one entry a layer, true = sliding; empty if the key is absent. Other kinds of layers are an error.
[[nodiscard]] LayerFlags read_sliding_layers(KeyReader& config, std::int64_t n_layers);

/// What `key` says of each layer, as an index into `names`; empty if the key is absent. `n_layers` entries; any number of them if that is 0.
[[nodiscard]] std::vector<char> read_layer_kinds(KeyReader& config, std::string_view key, std::int64_t n_layers,
                                                 std::initializer_list<std::string_view> names);
/// True for the layers whose numbers `key` lists; all false if it is absent.
[[nodiscard]] LayerFlags read_listed_layers(KeyReader& config, std::string_view key, std::int64_t n_layers);

/// The elements of a head that rotate: `factor` of them (partial_rotary_factor), rounded down as transformers does.
[[nodiscard]] std::int64_t rotary_part(std::int64_t head_dim, double factor);

/// Llama 3.1 scales each frequency by a factor of its own; `rope_type` was called `type` at first.
[[nodiscard]] bool has_llama3_scaling(const KeyReader& config);

/// Routed experts of a family that names their number `experts_key` and their width `width_key`; more used than there are is an error.
[[nodiscard]] MoeFfn read_routed_experts(KeyReader& config, std::string_view experts_key, std::string_view width_key);

/// Fails if more experts are used than there are.
void check_experts_used(KeyReader& config, const MoeFfn& moe, std::string_view experts_key);

/// The type of the tensors that are not quantized, from `dtype` or `torch_dtype`, there or in a part of it; bf16 with a warning if neither is there.
[[nodiscard]] DType read_base_type(KeyReader& config);

/// `quantization_config`: fills `model.recipes` and says of each plain tensor which one it takes. Errors: unsupported for methods that are not counted.
void read_quantization(KeyReader& config, Model& model);

template <class Slides>
std::vector<Mixer> mixers_with_window(KeyReader& config, const FullAttention& heads, std::int64_t n_layers, std::int64_t window, Slides slides) {
  const LayerFlags named = read_sliding_layers(config, n_layers);
  std::vector<Mixer> mixers;
  if (config.error()) return mixers;
  for (std::int64_t layer = 0; layer < n_layers; ++layer) {
    const bool is_sliding = window > 0 && (named.empty() ? slides(layer) : named[static_cast<std::size_t>(layer)] != 0);
    mixers.push_back(is_sliding ? Mixer(SlidingAttention{heads, window}) : Mixer(heads));
  }
  return mixers;
}

}  // namespace weighbridge
