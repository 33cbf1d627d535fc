// SPDX-License-Identifier: Apache-2.0
// Kimi Linear: delta attention with a decay for every channel, and latent attention without rotation between: src/models/kimi-linear.cpp.
#include <array>

#include "llama_graph/latent.hpp"
#include "llama_graph/models.hpp"
#include "llama_graph/recurrent.hpp"

namespace weighbridge::llama_graph {

namespace {

class KimiLinear {
 public:
  explicit KimiLinear(Builder& builder) : b_(builder), g_(builder.graph), states_(builder) {}

  void build() {
    Node* state = b_.embed();
    latents_ = b_.key_inputs(b_.settings.cells, b_.settings.flash_attention);
    Node* ids = b_.output_ids();
    b_.for_each_layer([&](int il) {
      Node* mixed = mix(state, il);
      if (il == b_.n_layers() - 1) {
        mixed = g_.get_rows(mixed, ids);
        state = g_.get_rows(state, ids);
      }
      Node* middle = g_.add(mixed, state);
      state = g_.add(feed_forward(b_.norm(middle, "ffn_norm", il), il), middle);
    });
    state = b_.norm(state, "output_norm", kNowhere);
    b_.finish(state, g_.mul_mat(b_.matrix("output", kNowhere), state));
  }

 private:
  Node* mix(Node* input, int il) {
    Node* normed = b_.norm(input, "attn_norm", il);
    g_.expand(normed);
    if (recurrent_part(b_.layer(il)) != nullptr) return delta_attention(normed, il);
    LatentBlock block(b_, il, nullptr);
    return block.attend(latents_, block.absorbed(normed, block.queries(block.low_rank(normed))), latents_.mask);
  }

  /// Queries, keys and values are convolved each on their own; what they remember lies in one row, one behind the other.
  Node* convolve(Node* a, Node* cache, Node* before, int part, int il) {
    constexpr std::array<std::string_view, 3> kProjections{"attn_q", "attn_k", "attn_v"};
    constexpr std::array<std::string_view, 3> kKernels{"ssm_conv1d_q", "ssm_conv1d_k", "ssm_conv1d_v"};
    const auto which = static_cast<std::size_t>(part);
    const RecurrentMixer& spec = *recurrent_part(b_.layer(il));
    const std::int64_t kept = spec.conv_kernel - 1;
    const Shape last{kept, spec.inner_size, states_.n_seqs, 1};
    const auto own = [&](Node* row) { return g_.view_3d(row, last, bytes_of(kept), row->nb[1], bytes_of(part * kept * spec.inner_size)); };
    Node* old = own(before);
    Node* x = g_.reshape(g_.mul_mat(b_.matrix(kProjections[which], il), a), {spec.inner_size, states_.n_seq_tokens, states_.n_seqs, 1});
    Node* window = g_.concat(old, g_.transpose(x), 0);
    Node* behind = g_.view_3d(window, last, window->nb[1], window->nb[2], static_cast<std::uint64_t>(states_.n_seq_tokens) * window->nb[0]);
    g_.expand(g_.cpy(behind, own(cache)));
    Node* kernel = g_.reshape(b_.matrix(kKernels[which], il), {spec.conv_kernel, spec.inner_size, 1, 1});
    Node* result = g_.reshape(g_.ssm_conv(window, kernel), {spec.inner_size, b_.n_tokens, 1, 1});
    return g_.reshape(g_.activate(Unary::silu, result), by_head(spec));
  }

  [[nodiscard]] Shape by_head(const RecurrentMixer& spec) const {
    return {spec.inner_size / spec.n_heads, spec.n_heads, states_.n_seq_tokens, states_.n_seqs};
  }

  Node* low_rank(Node* a, std::string_view down, std::string_view up, int il) {
    return g_.mul_mat(b_.matrix(up, il), g_.mul_mat(b_.matrix(down, il), a));
  }

  Node* delta_attention(Node* a, int il) {
    const RecurrentMixer& spec = *recurrent_part(b_.layer(il));
    const Shape flat_heads{spec.inner_size / spec.n_heads, spec.n_heads, b_.n_tokens, 1};
    Node* cache = states_.convolution(il);
    Node* before = states_.read(cache);
    DeltaOperands operands{convolve(a, cache, before, 0, il), convolve(a, cache, before, 1, il), convolve(a, cache, before, 2, il)};
    operands.decay = g_.activate(Unary::softplus, g_.add(low_rank(a, "ssm_f_a", "ssm_f_b", il), b_.vector("ssm_dt", il)));
    Node* rate_of_head = g_.reshape(Graph::declare(b_.parameter("ssm_a", il), {1, spec.n_heads, 1, 1}), {1, spec.n_heads, 1, 1});
    operands.decay = g_.reshape(g_.mul(g_.reshape(operands.decay, flat_heads), rate_of_head), by_head(spec));
    operands.rate = g_.reshape(g_.mul_mat(b_.matrix("ssm_beta", il), a), {1, spec.n_heads, states_.n_seq_tokens, states_.n_seqs});
    operands.rate = g_.activate(Unary::sigmoid, operands.rate);
    operands.q = unit_heads(g_, operands.q);
    operands.k = unit_heads(g_, operands.k);
    Node* output = g_.cont(delta_rule(b_, states_, operands, il));
    Node* gate = g_.reshape(low_rank(g_.reshape(a, a->ne), "ssm_g_a", "ssm_g_b", il), flat_heads);
    Node* gated = g_.mul(b_.norm(g_.reshape(output, flat_heads), "ssm_norm", il), g_.activate(Unary::sigmoid, gate));
    return g_.mul_mat(b_.matrix("attn_output", il), g_.cont(gated, {spec.inner_size, b_.n_tokens, 1, 1}));
  }

  Node* feed_forward(Node* a, int il) {
    if (const auto* dense = std::get_if<DenseFfn>(&b_.layer(il).ffn)) return b_.ffn(a, il, "", Unary::silu, dense->ffn_size);
    const auto& spec = std::get<MoeFfn>(b_.layer(il).ffn);
    Node* routed = b_.moe(a, il, spec, {.gating = Gating::sigmoid, .scales = spec.scales_weights});
    return g_.add(routed, b_.ffn(a, il, "_shexp", Unary::silu, spec.shared_ffn_size));
  }

  Builder& b_;
  Graph& g_;
  States states_;
  AttentionInputs latents_;
};

}  // namespace

bool build_kimi_linear(Builder& builder, std::string_view architecture) {
  if (architecture != "kimi-linear") return false;
  // Older files have keys and values of every head: not read.
  for (int il = 0; il < builder.n_layers(); ++il)
    if (builder.matrix(recurrent_part(builder.layer(il)) != nullptr ? "ssm_conv1d_q" : "attn_k_b", il) == nullptr) return false;
  KimiLinear(builder).build();
  return true;
}

}  // namespace weighbridge::llama_graph
