// SPDX-License-Identifier: Apache-2.0
#include "read/families/deepseek_v4.hpp"

#include "json_text.hpp"
#include "read/decoder_tensors.hpp"
#include "read/expert_stack.hpp"
#include "read/families/families.hpp"
#include "read/latent_attention.hpp"

namespace weighbridge {

namespace {

constexpr std::int64_t kSparseRatio = 4;   ///< "compressed_sparse_attention": overlapping windows, and an indexer
constexpr std::int64_t kHeavyRatio = 128;  ///< "heavily_compressed_attention"
constexpr std::int64_t kMaxStreams = 64;   ///< residual streams (hc_mult); 4 in every model
constexpr std::int64_t kMaxGroups = 4096;  ///< groups of the output projection

/// What V4 has beyond attention and experts.
struct V4 {
  CompressedAttention attention;
  Indexer indexer;
  V4Ranks ranks;
  std::int64_t n_streams = 0;
  std::int64_t n_hash_layers = 0;
  MoeFfn moe;
  std::vector<std::int64_t> ratios;  ///< one a layer, those of MTP layers after them if the config gives them
};

constexpr ExpertNames kExperts{.router = "ffn.gate",
                               .router_bias = "ffn.gate.bias",
                               .gate = "ffn.experts.{expert}.w1",
                               .up = "ffn.experts.{expert}.w3",
                               .down = "ffn.experts.{expert}.w2",
                               .shared = ""};

std::int64_t ratio_of_name(const Json& name) {
  if (name == "compressed_sparse_attention") return kSparseRatio;
  return name == "heavily_compressed_attention" ? kHeavyRatio : 0;
}

/// `compress_ratios`, else `layer_types`, else what DeepseekV4Config falls back to. 1 is no compression, and nothing older is seen, as for 0.
std::vector<std::int64_t> read_ratios(KeyReader& config, std::int64_t n_layers) {
  std::vector<std::int64_t> ratios;
  if (config.has("compress_ratios")) {
    ratios = read_compress_ratios(config, n_layers);
    for (std::int64_t& ratio : ratios) ratio = ratio == 1 ? 0 : ratio;
    return ratios;
  }
  if (const Json* types = list_per_layer(config, "layer_types", n_layers)) {
    for (const Json& type : *types) ratios.push_back(ratio_of_name(type));
    return ratios;
  }
  for (std::int64_t layer = 0; layer < n_layers; ++layer) ratios.push_back(layer < 2 || layer % 2 == 0 ? kHeavyRatio : kSparseRatio);
  return ratios;
}

V4 read_v4(KeyReader& config) {
  V4 v;
  v.attention = read_v4_heads(config);
  v.indexer = read_indexer(config, {64, 128, 512, 1});
  v.ranks = read_v4_ranks(config, v.attention.n_heads);
  v.n_streams = read_v4_streams(config);
  v.n_hash_layers = config.whole_number_if_given("num_hash_layers", 0, config_limit::layers).value_or(3);
  v.moe = read_v4_experts(config);
  return v;
}

CompressedAttention attention_of(const V4& v, std::int64_t ratio) {
  CompressedAttention attention = v.attention;
  attention.compress_ratio = ratio;
  if (ratio == kSparseRatio) attention.indexer = v.indexer;
  return attention;
}

/// Pools `ratio` tokens into one entry of `head_dim` values; overlapping windows take twice the values.
void add_compressor(TensorList& tensors, const std::string& name, std::int64_t ratio, std::int64_t head_dim, std::int64_t hidden) {
  const std::int64_t width = head_dim * (ratio == kSparseRatio ? 2 : 1);
  tensors.linear(name + ".wkv", width, hidden);
  tensors.linear(name + ".wgate", width, hidden);
  tensors.add({.name = name + ".ape", .rows = ratio, .cols = width, .type = dtype::f32});
  tensors.norm(name + ".norm", head_dim);
}

void add_v4_attention(TensorList& tensors, const V4& v, const CompressedAttention& a, std::int64_t hidden) {
  add_v4_projections(tensors, a, v.ranks, hidden);
  if (a.compress_ratio > 0) add_compressor(tensors, "attn.compressor", a.compress_ratio, a.head_dim, hidden);
  if (a.indexer.n_heads == 0) return;
  tensors.linear("attn.indexer.wq_b", a.indexer.n_heads * a.indexer.head_dim, v.ranks.q_lora_rank);
  tensors.linear("attn.indexer.weights_proj", a.indexer.n_heads, hidden);
  add_compressor(tensors, "attn.indexer.compressor", a.compress_ratio, a.indexer.head_dim, hidden);
}

/// The weights that mix the residual streams around one block (mHC), in f32.
void add_hyper_connection(TensorList& tensors, const std::string& name, std::int64_t rows, std::int64_t streams_width, std::int64_t n_scales) {
  tensors.add({.name = name + "_fn", .rows = rows, .cols = streams_width, .type = dtype::f32});
  tensors.add({.name = name + "_base", .rows = rows, .type = dtype::f32});
  tensors.add({.name = name + "_scale", .rows = n_scales, .type = dtype::f32});
}

void add_v4_layer(Draft& draft, const V4& v, const CompressedAttention& attention, bool hashed) {
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = draft.model.hidden_size;
  tensors.norm("attn_norm", hidden);
  add_v4_attention(tensors, v, attention, hidden);
  tensors.norm("ffn_norm", hidden);
  MoeFfn moe = v.moe;
  moe.router_bias = !hashed;
  add_v4_experts(tensors, moe, hidden);
  // The experts of the first layers are looked up by token id.
  if (hashed) tensors.add({.name = "ffn.gate.tid2eid", .rows = draft.model.vocab_size, .cols = v.moe.n_experts_used, .type = dtype::int64});
  add_v4_streams(tensors, v.n_streams, hidden);
}

void add_v4_mtp(Draft& draft, const V4& v) {
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = draft.model.hidden_size;
  tensors.part(ModelPart::mtp);
  std::int64_t index = 0;
  for (const LayerSpec& layer : draft.model.mtp_layers) {
    tensors.at_layer(index++, "mtp.{layer}.");
    add_v4_layer(draft, v, std::get<CompressedAttention>(layer.mixer), false);
    tensors.linear("e_proj", hidden, hidden);
    tensors.linear("h_proj", hidden, hidden);
    for (const char* name : {"enorm", "hnorm", "norm"}) tensors.norm(name, hidden);
    add_hyper_connection(tensors, "hc_head", v.n_streams, v.n_streams * hidden, 1);
  }
  tensors.part(ModelPart::text);
}

void add_v4(Draft& draft, const V4& v) {
  TensorList& tensors = draft.tensors;
  const Model& model = draft.model;
  tensors.outside();
  tensors.linear("embed", model.vocab_size, model.hidden_size);
  for (std::int64_t layer = 0; layer < model.n_layers(); ++layer) {
    tensors.at_layer(layer, "layers.{layer}.");
    add_v4_layer(draft, v, std::get<CompressedAttention>(model.layers[static_cast<std::size_t>(layer)].mixer), layer < v.n_hash_layers);
  }
  tensors.outside();
  tensors.norm("norm", model.hidden_size);
  tensors.linear("head", model.vocab_size, model.hidden_size);
  add_hyper_connection(tensors, "hc_head", v.n_streams, v.n_streams * model.hidden_size, 1);
  add_v4_mtp(draft, v);
}

}  // namespace

CompressedAttention read_v4_heads(KeyReader& config) {
  CompressedAttention attention;
  attention.n_heads = config.positive("num_attention_heads", config_limit::heads);
  attention.head_dim = config.positive_or("head_dim", config_limit::head_dim, 512, "");
  attention.window = config.positive_or("sliding_window", config_limit::context, 128, "");
  return attention;
}

V4Ranks read_v4_ranks(KeyReader& config, std::int64_t n_heads) {
  V4Ranks ranks;
  ranks.q_lora_rank = config.positive_or("q_lora_rank", config_limit::hidden, 1024, "");
  ranks.o_lora_rank = config.positive_or("o_lora_rank", config_limit::head_dim, 1024, "");
  ranks.o_groups = config.positive_or("o_groups", kMaxGroups, 8, "");
  if (!config.error() && n_heads % ranks.o_groups != 0)
    config.fail(notice::not_divisible(config.path("num_attention_heads"), "num_attention_heads", grouped(n_heads),
                                      "a multiple of o_groups, " + grouped(ranks.o_groups)));
  return ranks;
}

std::int64_t read_v4_streams(KeyReader& config) { return config.positive_or("hc_mult", kMaxStreams, 4, ""); }

MoeFfn read_v4_experts(KeyReader& config) {
  MoeFfn moe = read_routed_experts(config, "n_routed_experts", "moe_intermediate_size");
  moe.shared_ffn_size = config.positive_or("n_shared_experts", 64, 1, "") * moe.moe_ffn_size;
  moe.router_bias = true;
  read_expert_choice(config, moe, true, true);
  return moe;
}

std::vector<std::int64_t> read_compress_ratios(KeyReader& config, std::int64_t n_layers) {
  const Json list = config.json().value("compress_ratios", Json());
  const bool fits = list.is_array() && static_cast<std::int64_t>(list.size()) >= n_layers && list.size() <= 2 * config_limit::layers;
  std::vector<std::int64_t> ratios;
  for (std::size_t i = 0; fits && i < list.size(); ++i) {
    const std::int64_t ratio = whole_number_of(list[i]).value_or(-1);
    if (ratio < 0 || ratio > 65536) break;
    ratios.push_back(ratio);
  }
  if (fits && ratios.size() == list.size()) return ratios;
  config.fail(notice::wrong_type(config.path("compress_ratios"), "compress_ratios", excerpt(fits ? list[ratios.size()] : list),
                                 "a list with a whole number from 0 to 65,536 for each of " + grouped(n_layers) + " layers"));
  return {};
}

void add_v4_projections(TensorList& tensors, const CompressedAttention& attention, const V4Ranks& ranks, std::int64_t hidden) {
  const std::int64_t width = attention.n_heads * attention.head_dim;
  tensors.linear("attn.wq_a", ranks.q_lora_rank, hidden);
  tensors.norm("attn.q_norm", ranks.q_lora_rank);
  tensors.linear("attn.wq_b", width, ranks.q_lora_rank);
  tensors.linear("attn.wkv", attention.head_dim, hidden);
  tensors.norm("attn.kv_norm", attention.head_dim);
  tensors.linear("attn.wo_a", ranks.o_groups * ranks.o_lora_rank, width / ranks.o_groups);
  tensors.linear("attn.wo_b", hidden, ranks.o_groups * ranks.o_lora_rank);
  tensors.add({.name = "attn.attn_sink", .rows = attention.n_heads, .type = dtype::f32});
}

void add_v4_experts(TensorList& tensors, const MoeFfn& moe, std::int64_t hidden) {
  MoeFfn routed = moe;
  routed.shared_ffn_size = 0;
  add_experts(tensors, routed, hidden, kExperts);
  tensors.linear("ffn.shared_experts.w1", moe.shared_ffn_size, hidden);
  tensors.linear("ffn.shared_experts.w3", moe.shared_ffn_size, hidden);
  tensors.linear("ffn.shared_experts.w2", hidden, moe.shared_ffn_size);
}

void add_v4_streams(TensorList& tensors, std::int64_t n_streams, std::int64_t hidden) {
  const std::int64_t mix = (2 + n_streams) * n_streams;
  add_hyper_connection(tensors, "hc_attn", mix, n_streams * hidden, 3);
  add_hyper_connection(tensors, "hc_ffn", mix, n_streams * hidden, 3);
}

/// DeepSeek-V4 (vllm-project/vllm models/deepseek_v4, huggingface/transformers models/deepseek_v4): keys that are the values too, cached as they are
/// within a window and pooled beyond it; experts in every layer; residual streams mixed by weights of their own. Names are those of the checkpoint.
void read_deepseek_v4(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  V4 v = read_v4(config);
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  const std::int64_t n_mtp = config.whole_number_if_given("num_nextn_predict_layers", 0, 64).value_or(1);
  model.rotary_dim = config.positive_or("qk_rope_head_dim", config_limit::head_dim, v.attention.head_dim / 8, "");
  model.n_rotary_tables = 2;
  if (config.error()) return;
  v.ratios = read_ratios(config, n_layers);
  if (config.error()) return;
  v.ratios.resize(static_cast<std::size_t>(n_layers + n_mtp), 0);
  for (std::int64_t layer = 0; layer < n_layers + n_mtp; ++layer) {
    const LayerSpec spec{attention_of(v, v.ratios[static_cast<std::size_t>(layer)]), v.moe};
    (layer < n_layers ? model.layers : model.mtp_layers).push_back(spec);
  }
  add_v4(draft, v);
}

}  // namespace weighbridge
