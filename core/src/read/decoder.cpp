// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"

#include <algorithm>

#include "json_text.hpp"
#include "read/assumed_decoder.hpp"

namespace weighbridge {

namespace {

std::int64_t required_or(KeyReader& config, std::string_view key, std::int64_t most, std::int64_t fallback) {
  return fallback > 0 ? config.positive_or(key, most, fallback, "") : config.positive(key, most);
}

}  // namespace

void read_common(KeyReader& config, Model& model, const ClassDefaults& defaults) {
  model.hidden_size = required_or(config, first_key(config, {"hidden_size", "n_embd", "d_model", "n_embed"}), config_limit::hidden, defaults.hidden);
  model.vocab_size = required_or(config, "vocab_size", config_limit::vocab, defaults.vocab);
  const std::string_view context = first_key(config, {"max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx"});
  model.max_context_tokens = defaults.context > 0 ? config.positive_or(context, config_limit::context, defaults.context, "")
                                                  : config.positive_or(context, config_limit::context, kUnknownContext, kNoContext);
  model.tied_embeddings = config.flag_or("tie_word_embeddings", defaults.tied);
}

std::int64_t read_layer_count(KeyReader& config, const ClassDefaults& defaults) {
  return required_or(config, first_key(config, {"num_hidden_layers", "n_layer", "n_layers", "num_layers"}), config_limit::layers, defaults.layers);
}

DenseFfn read_dense_ffn(KeyReader& config, const ClassDefaults& defaults) {
  return {required_or(config, first_key(config, {"intermediate_size", "n_inner", "ffn_dim"}), config_limit::ffn, defaults.ffn)};
}

std::string_view first_key(const KeyReader& config, std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys)
    if (config.has(key)) return key;
  return *keys.begin();
}

std::string read_architecture(const KeyReader& config) {
  const auto named = config.json().find("architectures");
  if (named != config.json().end() && named->is_string()) return named->get<std::string>();
  if (named == config.json().end() || !named->is_array() || named->empty() || !(*named)[0].is_string()) return {};
  return (*named)[0].get<std::string>();
}

std::optional<KeyReader> text_part(KeyReader& config) {
  const std::string_view key = first_key(config, {"text_config", "llm_config", "language_config"});
  if (!config.has(key)) {
    if (config.has("hidden_size")) return config;
    config.fail(notice::missing_key(config.path(key), std::string(key), "an object with the language model's keys"));
    return std::nullopt;
  }
  const Json& text = *config.json().find(key);
  if (text.is_object()) return config.under(key);
  config.fail(notice::wrong_type(config.path(key), std::string(key), excerpt(text), "an object"));
  return std::nullopt;
}

namespace {

/// The one default that the page has a field for.
Notice assumed_kv_heads(const KeyReader& config, std::string_view key, std::int64_t n_heads) {
  Notice notice = notice::assumed_default(config.path(key), std::string(key), grouped(n_heads), "same as attention heads");
  notice.message += " Change it in Expert settings.";
  return notice;
}

}  // namespace

FullAttention read_full_attention(KeyReader& config, const Model& model, const ClassDefaults& defaults) {
  FullAttention attention;
  attention.n_heads = required_or(config, first_key(config, {"num_attention_heads", "n_head", "n_heads", "num_heads"}), config_limit::heads,
                                  defaults.heads);
  const std::string_view kv_key = first_key(config, {"num_key_value_heads", "n_head_kv", "num_kv_heads", "n_kv_heads"});
  const bool is_assumed = defaults.kv_heads == 0 && defaults.heads == 0 && !config.has(kv_key);
  attention.n_kv_heads = config.positive_or(kv_key, config_limit::heads, defaults.kv_heads > 0 ? defaults.kv_heads : attention.n_heads, "");
  if (is_assumed) config.warn(assumed_kv_heads(config, kv_key, attention.n_kv_heads));
  if (config.error()) return attention;
  check_head_groups(config, attention);
  if (config.error()) return attention;
  if (config.has("head_dim")) {
    attention.head_dim_k = config.positive("head_dim", config_limit::head_dim);
  } else if (defaults.head_dim > 0) {
    attention.head_dim_k = defaults.head_dim;
  } else if (model.hidden_size % attention.n_heads == 0) {
    attention.head_dim_k = model.hidden_size / attention.n_heads;
  } else {
    config.fail(notice::not_divisible(config.path("hidden_size"), "hidden_size", grouped(model.hidden_size),
                                      "a multiple of num_attention_heads, " + grouped(attention.n_heads) + ", or a head_dim"));
  }
  attention.head_dim_v = attention.head_dim_k;
  return attention;
}

std::int64_t count_feature_layers(const KeyReader& config) {
  const auto listed = config.json().find("vision_feature_layer");
  const bool is_list = listed != config.json().end() && listed->is_array() && !listed->empty() && listed->size() <= config_limit::layers;
  return is_list ? static_cast<std::int64_t>(listed->size()) : 1;
}

void check_image_size(KeyReader& vision, const VisionTower& tower) {
  if (vision.error() || tower.image_size >= tower.patch_size) return;
  vision.fail(
      notice::out_of_range(vision.path("image_size"), "image_size", grouped(tower.image_size), "at least patch_size, " + grouped(tower.patch_size)));
}

void check_head_groups(KeyReader& config, const FullAttention& attention) {
  if (config.error() || attention.n_heads % attention.n_kv_heads == 0) return;
  config.fail(notice::not_divisible(config.path("num_attention_heads"), "num_attention_heads", grouped(attention.n_heads),
                                    "a multiple of num_key_value_heads, " + grouped(attention.n_kv_heads)));
}

LayerFlags read_sliding_layers(KeyReader& config, std::int64_t n_layers) {
  LayerFlags sliding;
  if (config.error() || !config.has("layer_types")) return sliding;
  const Json& types = *config.json().find("layer_types");
  const std::string expected = "\"full_attention\" or \"sliding_attention\" for each of num_hidden_layers, " + grouped(n_layers);
  if (!types.is_array() || static_cast<std::int64_t>(types.size()) != n_layers) {
    config.fail(notice::wrong_type(config.path("layer_types"), "layer_types", excerpt(types), expected));
    return sliding;
  }
  for (const Json& type : types) {
    if (type != "full_attention" && type != "sliding_attention") {
      config.fail(notice::unknown("unsupported", config.path("layer_types"), "layer_types", excerpt(type), expected));
      return sliding;
    }
    sliding.push_back(type == "sliding_attention" ? 1 : 0);
  }
  return sliding;
}

std::vector<char> read_layer_kinds(KeyReader& config, std::string_view key, std::int64_t n_layers, std::initializer_list<std::string_view> names) {
  std::vector<char> kinds;
  if (config.error() || !config.has(key)) return kinds;
  const Json& listed = *config.json().find(key);
  const std::int64_t size = listed.is_array() ? static_cast<std::int64_t>(listed.size()) : -1;
  bool good = n_layers > 0 ? size == n_layers : size >= 0 && size <= config_limit::layers;
  for (std::size_t i = 0; good && i < listed.size(); ++i) {
    const std::string_view text = listed[i].is_string() ? std::string_view(listed[i].get_ref<const std::string&>()) : std::string_view();
    const auto found = std::find(names.begin(), names.end(), text);
    good = found != names.end();
    kinds.push_back(static_cast<char>(found - names.begin()));
  }
  if (good) return kinds;
  std::string expected;
  for (const std::string_view name : names) expected += (expected.empty() ? "\"" : ", \"") + std::string(name) + "\"";
  if (n_layers > 0) expected += " for each of num_hidden_layers, " + grouped(n_layers);
  config.fail(notice::wrong_type(config.path(key), std::string(key), excerpt(listed), expected));
  return {};
}

LayerFlags read_listed_layers(KeyReader& config, std::string_view key, std::int64_t n_layers) {
  LayerFlags flags(static_cast<std::size_t>(config.error() ? 0 : n_layers), 0);
  if (config.error() || !config.has(key)) return flags;
  const Json& listed = *config.json().find(key);
  bool good = listed.is_array();
  for (std::size_t i = 0; good && i < listed.size(); ++i) {
    const std::int64_t layer = whole_number_of(listed[i]).value_or(-1);
    good = layer >= 0 && layer < n_layers;
    if (good) flags[static_cast<std::size_t>(layer)] = 1;
  }
  if (!good)
    config.fail(
        notice::wrong_type(config.path(key), std::string(key), excerpt(listed), "a list of layer numbers from 0 to " + grouped(n_layers - 1)));
  return flags;
}

std::int64_t rotary_part(std::int64_t head_dim, double factor) { return static_cast<std::int64_t>(static_cast<double>(head_dim) * factor); }

void check_experts_used(KeyReader& config, const MoeFfn& moe, std::string_view experts_key) {
  if (moe.n_experts_used > moe.n_experts)
    config.fail(notice::out_of_range(config.path("num_experts_per_tok"), "num_experts_per_tok", grouped(moe.n_experts_used),
                                     "at most " + std::string(experts_key) + ", " + grouped(moe.n_experts)));
}

bool has_llama3_scaling(const KeyReader& config) {
  const auto scaling = config.json().find("rope_scaling");
  if (scaling == config.json().end() || !scaling->is_object()) return false;
  return scaling->value("rope_type", Json()) == "llama3" || scaling->value("type", Json()) == "llama3";
}

MoeFfn read_routed_experts(KeyReader& config, std::string_view experts_key, std::string_view width_key) {
  MoeFfn moe;
  moe.n_experts = config.positive(experts_key, config_limit::experts);
  moe.n_experts_used = config.positive("num_experts_per_tok", config_limit::experts);
  moe.moe_ffn_size = config.positive(width_key, config_limit::moe_ffn);
  check_experts_used(config, moe, experts_key);
  return moe;
}

DType read_base_type(KeyReader& config) {
  for (const std::string_view part : {"text_config", "thinker_config"}) {
    if (config.has("dtype") || config.has("torch_dtype") || !config.has(part) || !config.json().find(part)->is_object()) continue;
    KeyReader inner = config.under(part);
    const DType type = read_base_type(inner);
    config.adopt(inner);
    return type;
  }
  for (const std::string_view key : {"dtype", "torch_dtype"}) {
    const std::optional<std::string> name = config.text_if_given(key);
    if (!name) continue;
    if (const std::optional<DType> type = dtype_of_torch_name(*name)) return *type;
    config.fail(notice::wrong_type(config.path(key), std::string(key), excerpt(*name), "\"bfloat16\", \"float16\" or \"float32\""));
    return dtype::bf16;
  }
  config.warn(notice::assumed_default(config.path("torch_dtype"), "torch_dtype", "bfloat16", "most checkpoints are"));
  return dtype::bf16;
}

}  // namespace weighbridge
