// SPDX-License-Identifier: Apache-2.0
#include "read/towers/qwen_talker.hpp"

#include <array>
#include <string>

#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"

namespace weighbridge {

namespace {

struct Attention {
  std::int64_t hidden = 0;
  std::int64_t n_heads = 0;
  std::int64_t n_kv_heads = 0;
  std::int64_t head_dim = 0;
};

/// A language model of codes, with experts.
struct Talker {
  Attention attention;
  std::int64_t thinker_hidden = 0;
  std::int64_t projection = 0;  ///< between the thinker's width and its own
  std::int64_t n_layers = 0;
  std::int64_t vocab = 0;
  MoeFfn moe;
};

/// The codes behind the first of a step, each with an embedding and a head of its own.
struct CodePredictor {
  Attention attention;
  std::int64_t ffn_size = 0;
  std::int64_t n_layers = 0;
  std::int64_t vocab = 0;
  std::int64_t n_groups = 0;
};

/// Codes to sound: layers of attention, then convolutions that lengthen step by step.
struct Vocoder {
  Attention attention;
  std::int64_t ffn_size = 0;
  std::int64_t n_layers = 0;
  std::int64_t n_codes = 0;
  std::int64_t width = 0;
};
/// Factors of the class; no published config has others, and only the sizes of a few kernels hang on them.
constexpr std::array<std::int64_t, 2> kFirstFactors{2, 2};
constexpr std::array<std::int64_t, 4> kFactors{8, 5, 4, 3};

Attention read_heads(KeyReader& config, const Attention& defaults) {
  Attention read;
  read.hidden = config.positive_or("hidden_size", config_limit::hidden, defaults.hidden, "");
  read.n_heads = config.positive_or("num_attention_heads", config_limit::heads, defaults.n_heads, "");
  read.n_kv_heads = config.positive_or("num_key_value_heads", config_limit::heads, defaults.n_kv_heads, "");
  const std::int64_t head_dim = defaults.head_dim > 0 || read.n_heads == 0 ? defaults.head_dim : read.hidden / read.n_heads;
  read.head_dim = config.positive_or("head_dim", config_limit::head_dim, head_dim, "");
  return read;
}

Talker read_talker(KeyReader& outer, KeyReader& text) {
  Talker talker;
  talker.attention = read_heads(text, {1024, 16, 2, 0});
  talker.thinker_hidden = outer.positive_or("thinker_hidden_size", config_limit::hidden, 2048, "");
  talker.projection = text.positive_or("intermediate_size", config_limit::ffn, 2048, "");
  talker.n_layers = text.positive_or("num_hidden_layers", config_limit::layers, 20, "");
  talker.vocab = text.positive_or("vocab_size", config_limit::vocab, 3072, "");
  talker.moe.n_experts = text.positive_or("num_experts", config_limit::experts, 128, "");
  talker.moe.moe_ffn_size = text.positive_or("moe_intermediate_size", config_limit::moe_ffn, 384, "");
  talker.moe.shared_ffn_size = text.count_or_zero("shared_expert_intermediate_size", config_limit::moe_ffn);
  return talker;
}

CodePredictor read_predictor(KeyReader& config) {
  CodePredictor predictor;
  predictor.attention = read_heads(config, {1024, 16, 8, 128});
  predictor.ffn_size = config.positive_or("intermediate_size", config_limit::ffn, 3072, "");
  predictor.n_layers = config.positive_or("num_hidden_layers", config_limit::layers, 5, "");
  predictor.vocab = config.positive_or("vocab_size", config_limit::vocab, 2048, "");
  predictor.n_groups = config.positive_or("num_code_groups", 1024, 32, "");
  return predictor;
}

Vocoder read_vocoder(KeyReader& config) {
  Vocoder vocoder;
  vocoder.attention = read_heads(config, {1024, 16, 16, 0});
  vocoder.ffn_size = config.positive_or("intermediate_size", config_limit::ffn, 3072, "");
  vocoder.n_layers = config.positive_or("num_hidden_layers", config_limit::layers, 8, "");
  vocoder.n_codes = config.positive_or("codebook_size", config_limit::vocab, 2048, "") * config.positive_or("num_quantizers", 1024, 16, "");
  vocoder.width = config.positive_or("decoder_dim", config_limit::hidden, 1536, "");
  return vocoder;
}

void add_attention(TensorList& tensors, const Attention& a, bool norms) {
  tensors.norm("input_layernorm", a.hidden);
  tensors.linear("self_attn.q_proj", a.n_heads * a.head_dim, a.hidden);
  tensors.linear("self_attn.k_proj", a.n_kv_heads * a.head_dim, a.hidden);
  tensors.linear("self_attn.v_proj", a.n_kv_heads * a.head_dim, a.hidden);
  tensors.linear("self_attn.o_proj", a.hidden, a.n_heads * a.head_dim);
  if (norms) tensors.norm("self_attn.q_norm", a.head_dim);
  if (norms) tensors.norm("self_attn.k_norm", a.head_dim);
  tensors.norm("post_attention_layernorm", a.hidden);
}

void add_talker(TensorList& tensors, const Talker& talker) {
  const std::int64_t hidden = talker.attention.hidden;
  tensors.linear("talker.model.codec_embedding", talker.vocab, hidden);
  for (const char* name : {"talker.text_projection.", "talker.hidden_projection."}) {
    tensors.linear(std::string(name) + "linear_fc1", talker.projection, talker.thinker_hidden, true);
    tensors.linear(std::string(name) + "linear_fc2", hidden, talker.projection, true);
  }
  for (std::int64_t layer = 0; layer < talker.n_layers; ++layer) {
    tensors.at_layer(layer, "talker.model.layers.{layer}.");
    add_attention(tensors, talker.attention, true);
    add_experts(tensors, talker.moe, hidden, {.shared = "mlp.shared_expert.", .shared_gate = "mlp.shared_expert_gate"});
  }
  tensors.outside();
  tensors.norm("talker.model.norm", hidden);
  tensors.linear("talker.codec_head", talker.vocab, hidden);
}

void add_predictor(TensorList& tensors, const CodePredictor& predictor) {
  const std::int64_t hidden = predictor.attention.hidden;
  for (std::int64_t layer = 0; layer < predictor.n_layers; ++layer) {
    tensors.at_layer(layer, "talker.code_predictor.model.layers.{layer}.");
    add_attention(tensors, predictor.attention, true);
    add_dense_ffn(tensors, {predictor.ffn_size}, hidden, false);
  }
  tensors.outside();
  tensors.norm("talker.code_predictor.model.norm", hidden);
  tensors.copies(predictor.n_groups - 1);
  tensors.linear("talker.code_predictor.model.codec_embedding.{expert}", predictor.vocab, hidden);
  tensors.linear("talker.code_predictor.lm_head.{expert}", predictor.vocab, hidden);
  tensors.copies(1);
}

/// Two vectors that a snake activation learns.
void add_snake(TensorList& tensors, const std::string& name, std::int64_t width) {
  tensors.add({.name = name + ".alpha", .rows = width});
  tensors.add({.name = name + ".beta", .rows = width});
}

void add_vocoder_layers(TensorList& tensors, const Vocoder& vocoder) {
  const std::int64_t hidden = vocoder.attention.hidden;
  tensors.linear("code2wav.code_embedding", vocoder.n_codes, hidden);
  for (std::int64_t layer = 0; layer < vocoder.n_layers; ++layer) {
    tensors.at_layer(layer, "code2wav.pre_transformer.layers.{layer}.");
    add_attention(tensors, vocoder.attention, false);
    add_dense_ffn(tensors, {vocoder.ffn_size}, hidden, false);
    tensors.add({.name = "self_attn_layer_scale.scale", .rows = hidden});
    tensors.add({.name = "mlp_layer_scale.scale", .rows = hidden});
  }
  tensors.outside();
  tensors.norm("code2wav.pre_transformer.norm", hidden);
}

void add_convolutions(TensorList& tensors, const Vocoder& vocoder) {
  constexpr std::int64_t kernel = 7;
  const std::int64_t hidden = vocoder.attention.hidden;
  for (std::size_t step = 0; step < kFirstFactors.size(); ++step) {
    const std::string base = "code2wav.upsample." + std::to_string(step) + ".";
    tensors.linear(base + "0.conv", hidden, hidden * kFirstFactors[step], true);
    tensors.linear(base + "1.dwconv.conv", hidden, kernel, true);
    tensors.norm(base + "1.norm", hidden, true);
    tensors.linear(base + "1.pwconv1", 4 * hidden, hidden, true);
    tensors.linear(base + "1.pwconv2", hidden, 4 * hidden, true);
    tensors.add({.name = base + "1.gamma", .rows = hidden});
  }
  tensors.linear("code2wav.decoder.0.conv", vocoder.width, hidden * kernel, true);
  std::int64_t width = vocoder.width;
  for (std::size_t step = 0; step < kFactors.size(); ++step) {
    const std::string base = "code2wav.decoder." + std::to_string(step + 1) + ".block.";
    add_snake(tensors, base + "0", width);
    tensors.linear(base + "1.conv", width / 2, width * 2 * kFactors[step], true);
    width /= 2;
    for (int unit = 2; unit < 5; ++unit) {
      const std::string block = base + std::to_string(unit) + ".";
      add_snake(tensors, block + "act1", width);
      tensors.linear(block + "conv1.conv", width, width * kernel, true);
      add_snake(tensors, block + "act2", width);
      tensors.linear(block + "conv2.conv", width, width, true);
    }
  }
  add_snake(tensors, "code2wav.decoder.5", width);
  tensors.linear("code2wav.decoder.6.conv", 1, width * kernel, true);
}

/// The object under `key`, or one without keys: then every size is the class's.
KeyReader part_of(KeyReader& config, const char* key) {
  static const Json none = Json::object();
  const auto found = config.json().find(key);
  return found != config.json().end() && found->is_object() ? config.under(key) : config.over(none, key);
}

}  // namespace

void add_qwen_talker(KeyReader& config, Draft& draft) {
  if (config.error()) return;
  KeyReader outer = part_of(config, "talker_config");
  KeyReader text = part_of(outer, "text_config");
  const Talker talker = read_talker(outer, text);
  KeyReader codes = part_of(outer, "code_predictor_config");
  const CodePredictor predictor = read_predictor(codes);
  KeyReader sound = part_of(config, "code2wav_config");
  const Vocoder vocoder = read_vocoder(sound);
  for (KeyReader* inner : {&text, &codes, &outer, &sound}) config.adopt(*inner);
  if (config.error()) return;
  TensorList& tensors = draft.tensors;
  tensors.part(ModelPart::speech);
  tensors.outside();
  add_talker(tensors, talker);
  add_predictor(tensors, predictor);
  add_vocoder_layers(tensors, vocoder);
  add_convolutions(tensors, vocoder);
  tensors.outside();
  tensors.part(ModelPart::text);
}

}  // namespace weighbridge
