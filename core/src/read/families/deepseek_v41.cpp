// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "json_text.hpp"
#include "read/decoder_tensors.hpp"
#include "read/expert_stack.hpp"
#include "read/families/deepseek_v4.hpp"
#include "read/families/families.hpp"
#include "read/families/qwen_layers.hpp"
#include "read/latent_attention.hpp"
#include "read/towers/deepseek_vit.hpp"

namespace weighbridge {

namespace {

constexpr std::int64_t kMaxRows = std::int64_t{1} << 34;  ///< of an n-gram table: 40 times those known

/// A table of hashed n-grams, and what mixes its rows into the residual streams.
struct Engram {
  LayerFlags layers;
  std::vector<std::int64_t> rows;  ///< one for each layer that has a table
  std::int64_t head_dim = 0;
  std::int64_t n_hashes = 0;  ///< rows that one token reads
};

struct V41 {
  CompressedAttention attention;
  Indexer indexer;
  V4Ranks ranks;
  std::int64_t n_streams = 0;
  MoeFfn moe;
  MoeFfn draft_moe;
  std::vector<std::int64_t> ratios;
  LayerFlags makes_keys;  ///< layers that compress keys, for themselves and those after them
  LayerFlags chooses;     ///< layers whose indexer chooses keys, for themselves and those after them
  Engram engram;
  std::int64_t n_targets = 0;  ///< layers whose outputs the drafting layers start from
  std::int64_t markov_rank = 0;
  bool sees_images = false;
};

std::int64_t list_size(KeyReader& config, std::string_view key, std::int64_t fallback) {
  const auto listed = config.json().find(key);
  return listed != config.json().end() && listed->is_array() ? static_cast<std::int64_t>(listed->size()) : fallback;
}

Engram read_engram(KeyReader& config, std::int64_t n_layers) {
  Engram engram;
  engram.layers = read_listed_layers(config, "engram_layer_ids", n_layers);
  engram.head_dim = config.positive_or("engram_head_dim", config_limit::head_dim, 256, "");
  const std::int64_t ngram = config.whole_number_if_given("engram_max_ngram_size", 2, 16).value_or(4);
  engram.n_hashes = (ngram - 1) * config.positive_or("engram_n_heads", config_limit::heads, 8, "");
  const std::int64_t n_tables = std::count(engram.layers.begin(), engram.layers.end(), 1);
  if (config.error() || n_tables == 0) return engram;
  const Json* sizes = list_per_layer(config, "engram_num_embeddings", n_tables);
  if (sizes == nullptr && !config.error())
    config.fail(notice::missing_key(config.path("engram_num_embeddings"), "engram_num_embeddings", "the rows of each n-gram table"));
  if (sizes == nullptr) return engram;
  for (const Json& size : *sizes) {
    engram.rows.push_back(whole_number_of(size).value_or(0));
    if (engram.rows.back() <= 0 || engram.rows.back() > kMaxRows)
      config.fail(notice::wrong_type(config.path("engram_num_embeddings"), "engram_num_embeddings", excerpt(size), "the rows of each n-gram table"));
  }
  return engram;
}

MoeFfn read_draft_experts(KeyReader& config, const MoeFfn& moe) {
  MoeFfn drafts = moe;
  drafts.n_experts = config.positive_or("dspark_n_routed_experts", config_limit::experts, moe.n_experts, "");
  drafts.n_experts_used = config.positive_or("dspark_num_experts_per_tok", config_limit::experts, moe.n_experts_used, "");
  check_experts_used(config, drafts, "dspark_n_routed_experts");
  return drafts;
}

V41 read_v41(KeyReader& config, std::int64_t n_layers) {
  V41 v;
  v.attention = read_v4_heads(config);
  v.indexer = read_indexer(config, {64, 128, 512, 1});
  v.ranks = read_v4_ranks(config, v.attention.n_heads);
  v.n_streams = read_v4_streams(config);
  v.moe = read_v4_experts(config);
  v.draft_moe = read_draft_experts(config, v.moe);
  v.ratios = read_compress_ratios(config, n_layers);
  v.makes_keys = read_listed_layers(config, "kv_source_layer_ids", n_layers);
  v.chooses = read_listed_layers(config, "index_source_layer_ids", n_layers);
  v.engram = read_engram(config, n_layers);
  v.n_targets = list_size(config, "dspark_target_layer_ids", 3);
  v.markov_rank = config.positive_or("dspark_markov_rank", config_limit::hidden, 256, "");
  return v;
}

/// A layer that makes no keys reads those of an earlier one beyond its window: they are cached there.
CompressedAttention attention_of(const V41& v, std::int64_t layer) {
  CompressedAttention attention = v.attention;
  if (v.makes_keys[static_cast<std::size_t>(layer)] == 0) return attention;
  attention.compress_ratio = v.ratios[static_cast<std::size_t>(layer)];
  if (attention.compress_ratio > 0) attention.indexer = v.indexer;
  return attention;
}

void add_keys(TensorList& tensors, const V41& v, std::int64_t layer, std::int64_t hidden) {
  const std::int64_t width = v.attention.head_dim;
  if (v.makes_keys[static_cast<std::size_t>(layer)] != 0) {
    tensors.linear("attn.compressor.wkv", width, hidden);
    if (v.ratios[static_cast<std::size_t>(layer)] > 1) tensors.linear("attn.compressor.wgate", width, hidden);
    tensors.norm("attn.compressor.norm", width);
    // Small, and 16 bits wide where V3.2's is quantized.
    tensors.add({.name = "attn.indexer.wk.weight", .rows = v.indexer.head_dim, .cols = width, .role = TensorRole::projection});
    tensors.norm("attn.indexer.k_norm", v.indexer.head_dim);
  }
  if (v.chooses[static_cast<std::size_t>(layer)] == 0) return;
  tensors.linear("attn.indexer.wq_b", v.indexer.n_heads * v.indexer.head_dim, v.ranks.q_lora_rank);
  tensors.linear("attn.indexer.weights_proj", v.indexer.n_heads, hidden);
}

void add_engram(TensorList& tensors, const V41& v, std::int64_t rows, std::int64_t hidden) {
  tensors.add({.name = "engram.embed.weight", .rows = rows, .cols = v.engram.head_dim, .role = TensorRole::layer_embedding});
  tensors.linear("engram.wkv", hidden * (v.n_streams + 1), v.engram.n_hashes * v.engram.head_dim);
  tensors.add({.name = "engram.q_weight", .rows = v.n_streams, .cols = hidden});
  tensors.add({.name = "engram.k_weight", .rows = v.n_streams, .cols = hidden});
}

/// What a layer of the model and a drafting layer have alike.
void add_common(Draft& draft, const V41& v, const MoeFfn& moe) {
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = draft.model.hidden_size;
  tensors.norm("attn_norm", hidden);
  add_v4_projections(tensors, v.attention, v.ranks, hidden);
  tensors.norm("ffn_norm", hidden);
  add_v4_experts(tensors, moe, hidden);
  if (v.sees_images) tensors.add({.name = "ffn.gate.bias_vl", .rows = moe.n_experts, .role = TensorRole::router, .type = dtype::f32});
  add_v4_streams(tensors, v.n_streams, hidden);
}

/// Layers that draft a block of tokens at once (DSpark): the first takes outputs of the model, the last has the heads.
void add_drafts(Draft& draft, const V41& v) {
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = draft.model.hidden_size;
  const auto n_drafts = static_cast<std::int64_t>(draft.model.mtp_layers.size());
  tensors.part(ModelPart::mtp);
  for (std::int64_t index = 0; index < n_drafts; ++index) {
    tensors.at_layer(index, "mtp.{layer}.");
    add_common(draft, v, v.draft_moe);
    if (index == 0) {
      tensors.linear("main_proj", hidden, hidden * v.n_targets);
      tensors.norm("main_norm", hidden);
    }
    if (index + 1 < n_drafts) continue;
    tensors.norm("norm", hidden);
    tensors.linear("markov_head.embed", draft.model.vocab_size, v.markov_rank);
    tensors.linear("markov_head.head", draft.model.vocab_size, v.markov_rank);
    tensors.linear("confidence_head.proj", 1, hidden + v.markov_rank);
  }
  tensors.part(ModelPart::text);
}

void add_v41(Draft& draft, const V41& v) {
  TensorList& tensors = draft.tensors;
  const Model& model = draft.model;
  tensors.outside();
  tensors.linear("embed", model.vocab_size, model.hidden_size);
  std::size_t table = 0;
  for (std::int64_t layer = 0; layer < model.n_layers(); ++layer) {
    tensors.at_layer(layer, "layers.{layer}.");
    add_common(draft, v, v.moe);
    add_keys(tensors, v, layer, model.hidden_size);
    if (v.engram.layers[static_cast<std::size_t>(layer)] != 0) add_engram(tensors, v, v.engram.rows[table++], model.hidden_size);
  }
  tensors.outside();
  tensors.norm("norm", model.hidden_size);
  tensors.linear("head", model.vocab_size, model.hidden_size);
  add_drafts(draft, v);
}

void read_text(KeyReader& config, Draft& draft, bool sees_images) {
  Model& model = draft.model;
  read_common(config, model);
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  const std::int64_t n_drafts = config.count_or_zero("num_nextn_predict_layers", 64);
  if (config.error()) return;
  V41 v = read_v41(config, n_layers);
  v.sees_images = sees_images;
  model.rotary_dim = config.positive_or("qk_rope_head_dim", config_limit::head_dim, std::max<std::int64_t>(1, v.attention.head_dim / 8), "");
  model.n_rotary_tables = 2;
  if (config.error()) return;
  for (std::int64_t layer = 0; layer < n_layers; ++layer) model.layers.push_back({attention_of(v, layer), v.moe});
  model.mtp_layers.assign(static_cast<std::size_t>(n_drafts), LayerSpec{v.attention, v.draft_moe});
  add_v41(draft, v);
}

}  // namespace

/// DeepSeek-V4.1 (vllm-project/vllm vllm/models/deepseek_v41, huggingface/transformers models/deepseek_v41): V4's attention and experts; few layers
/// compress keys and others choose among them, all after them share both; two tables of hashed n-grams; layers that draft blocks of tokens; an image
/// encoder. Names are those of the checkpoint.
void read_deepseek_v41(KeyReader& config, Draft& draft) {
  std::optional<KeyReader> text = object_under(config, "text_config");
  std::optional<KeyReader> vision = object_under(config, "vision_config");
  if (config.error()) return;
  read_text(text ? *text : config, draft, vision.has_value());
  if (text) config.adopt(*text);
  if (!vision || config.error()) return;
  const DeepseekVit vit = read_deepseek_vit(*vision);
  config.adopt(*vision);
  if (config.error()) return;
  draft.model.vision = vit.tower;
  add_deepseek_vit(draft.tensors, vit, draft.model.hidden_size);
}

}  // namespace weighbridge
