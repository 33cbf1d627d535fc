// SPDX-License-Identifier: Apache-2.0
// Decoders of latent attention and DeepSeek's experts, with an indexer or without: ggml-org/llama.cpp v0.5.0 src/models/deepseek2.cpp (also mistral4),
// deepseek32.cpp, glm-dsa.cpp; and MiniCPM3, which is dense: minicpm3.cpp.
#include "llama_graph/latent.hpp"
#include "llama_graph/models.hpp"
#include "llama_graph/sparse_mask.hpp"

namespace weighbridge::llama_graph {

namespace {

class LatentDecoder {
 public:
  LatentDecoder(Builder& builder, std::string_view architecture)
      : b_(builder), g_(builder.graph), is_scaled_(architecture == "minicpm3"), is_precise_(architecture == "mistral4") {}

  void build() {
    Node* state = b_.embed();
    if (is_scaled_) state = g_.scale(state);
    positions_ = b_.positions();
    const LatentAttention* indexing = first_latent_attention(b_.model.layers);
    is_unfolded_ = b_.matrix("attn_kv_b", 0) != nullptr;
    if (is_unfolded_)
      heads_ = b_.cache_inputs();
    else
      latents_ = b_.key_inputs(b_.settings.cells, b_.settings.flash_attention);
    // The indexer's operation takes a mask of half precision; its keys are rotated whatever their type.
    if (indexing->indexer.n_heads > 0) indexer_ = b_.key_inputs(b_.settings.cells, true, indexing->indexer.head_dim);
    ids_ = b_.output_ids();
    b_.for_each_layer([&](int il) { state = layer(state, il); });
    state = b_.norm(state, "output_norm", kNowhere);
    b_.finish(state, g_.mul_mat(b_.matrix("output", kNowhere), is_scaled_ ? g_.scale(state) : state));
  }

  void build_draft() {
    Node* state = b_.draft_input(0);
    positions_ = b_.positions();
    latents_ = b_.key_inputs(b_.settings.cells, b_.settings.flash_attention);
    ids_ = b_.output_ids();
    state = b_.draft_norm(layer(state, 0), 0);
    state->is_output = true;
    b_.finish(nullptr, g_.mul_mat(b_.draft_head(0), g_.get_rows(state, ids_)));
  }

 private:
  Node* layer(Node* input, int il) {
    Node* attended = attention(b_.norm(input, "attn_norm", il), il);
    if (il == b_.n_layers() - 1 && !b_.settings.drafts) {
      attended = g_.get_rows(attended, ids_);
      input = g_.get_rows(input, ids_);
    }
    if (is_scaled_) attended = g_.scale(attended);
    Node* middle = g_.add(attended, input);
    Node* result = feed_forward(b_.norm(middle, "ffn_norm", il), il);
    return g_.add(is_scaled_ ? g_.scale(result) : result, middle);
  }

  Node* attention(Node* a, int il) {
    LatentBlock block(b_, il, positions_, is_scaled_ ? b_.rope_factors(il) : nullptr);
    Node* low = block.low_rank(a);
    if (is_unfolded_) return b_.attend(heads_, block.unfolded(a, block.queries(low)), il);
    const Indexer& indexer = std::get<LatentAttention>(b_.layer(il).mixer).indexer;
    if (indexer.n_heads > 0) chosen_ = block.choose_tokens(a, low, indexer_);
    const Qkv qkv = block.absorbed(a, block.queries(low));
    if (chosen_ == nullptr) return block.attend(latents_, qkv, latents_.mask);
    return block.attend(latents_, qkv, hide_others(g_, latents_.mask, chosen_, dtype::f32));
  }

  Node* feed_forward(Node* a, int il) {
    if (const auto* dense = std::get_if<DenseFfn>(&b_.layer(il).ffn)) return b_.ffn(a, il, "", Unary::silu, dense->ffn_size);
    const auto& moe = std::get<MoeFfn>(b_.layer(il).ffn);
    const MoeStyle style{.gating = moe.router_bias ? Gating::sigmoid : Gating::softmax,
                         .normalizes = moe.normalizes_weights,
                         .scales = moe.scales_weights,
                         .precise_results = is_precise_};
    Node* routed = b_.moe(a, il, moe, style);
    if (b_.matrix("ffn_up_shexp", il) == nullptr) return routed;
    return g_.add(routed, b_.ffn(a, il, "_shexp", Unary::silu, moe.shared_ffn_size));
  }

  Builder& b_;
  Graph& g_;
  const bool is_scaled_;   ///< MiniCPM3: embedding, what each block adds, and the last state are multiplied by constants
  const bool is_precise_;  ///< Mistral 4: what enters the experts' last matrices can exceed half precision
  bool is_unfolded_ = false;
  Node* positions_ = nullptr;
  Node* ids_ = nullptr;
  Node* chosen_ = nullptr;  ///< by the last layer that has an indexer
  CacheInputs heads_;
  AttentionInputs latents_;
  AttentionInputs indexer_;
};

}  // namespace

bool draft_with_latent_decoder(Builder& builder, std::string_view architecture) {
  const bool drafts = architecture == "deepseek2" || architecture == "deepseek32" || architecture == "glm-dsa";
  if (!drafts || first_latent_attention(builder.model.layers) == nullptr) return false;
  LatentDecoder(builder, architecture).build_draft();
  return true;
}

bool build_latent_decoder(Builder& builder, std::string_view architecture) {
  const bool is_deepseek = architecture == "deepseek2" || architecture == "deepseek32" || architecture == "glm-dsa" || architecture == "mistral4";
  if (!is_deepseek && architecture != "minicpm3") return false;
  for (const LayerSpec& layer : builder.model.layers.kinds())
    if (!std::holds_alternative<LatentAttention>(layer.mixer)) return false;
  LatentDecoder(builder, architecture).build();
  return true;
}

}  // namespace weighbridge::llama_graph
