// SPDX-License-Identifier: Apache-2.0
// The parts that llama.cpp's graphs are built of: ggml-org/llama.cpp v0.5.0 src/llama-graph.cpp (llm_graph_context), src/llama-kv-cache.cpp. A model's
// graph (models.hpp) calls them in the order of the engine's own file for it.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "engine/llama_cpp/llama_cpp.hpp"
#include "llama_graph/graph.hpp"
#include "llama_graph/layers.hpp"

namespace weighbridge::llama_graph {

/// A matrix and its bias; `bias` may be null. Without a matrix the file has no such tensor.
struct Linear {
  Node* matrix = nullptr;
  Node* bias = nullptr;

  explicit operator bool() const { return matrix != nullptr; }
};

struct Qkv {
  Node* q = nullptr;
  Node* k = nullptr;
  Node* v = nullptr;
};

/// Inputs of attention over one cache (llm_graph_input_attn_kv).
struct AttentionInputs {
  Node* k_index = nullptr;
  Node* v_index = nullptr;
  Node* mask = nullptr;
  Node* k_rotation = nullptr;  ///< of quantized keys; null if they are stored as they are
  Node* v_rotation = nullptr;
};

/// Of all layers, and of those with a window where these have a cache of their own.
struct CacheInputs {
  AttentionInputs all;
  AttentionInputs windowed;
};

using llama_cpp::CachedHeads;

/// What attention may have beside queries, keys and values.
struct AttentionExtras {
  Node* sinks = nullptr;
  Node* value_up = nullptr;  ///< MLA: out of the latent, after attention
  bool soft_cap = false;
};

/// By a Hadamard matrix: src/llama-impl.h, llama_mul_mat_hadamard.
Node* rotate(Graph& graph, Node* a, Node* rotation);
/// Whether what a cache of this type holds of such heads is rotated before it is quantized.
[[nodiscard]] bool rotates_quantized(Type type, std::int64_t head);

enum class NormKind { rms, layer };

/// How the experts' weights are made (llm_graph_context::build_moe_ffn).
enum class Gating { softmax, sigmoid, softmax_of_chosen, sqrt_softplus };

struct MoeStyle {
  Gating gating = Gating::softmax;
  bool normalizes = true;  ///< the chosen weights add up to one
  bool scales = false;     ///< by a factor of the model's own
  Unary activation = Unary::silu;
  Node* chosen = nullptr;        ///< the experts of each token, if they are not the best ones
  bool precise_results = false;  ///< Mistral 4: the experts' last products keep f32
  bool weights_inputs = false;   ///< Llama 4: what enters an expert is weighted, not what leaves it
};

class Builder {
 public:
  /// `is_of_one`: all tokens are of one sequence.
  Builder(const Job& job, const llama_cpp::Settings& settings, const llama_cpp::Placement& placement, bool is_of_one, Detail detail, Arena& arena);

  Graph graph;
  const Model& model;
  const llama_cpp::Settings& settings;
  std::int64_t n_tokens = 0;  ///< of the batch: n_ubatch, up to a multiple of the sequences
  std::int64_t n_seqs = 0;
  std::int64_t n_outputs = 0;

  /// Builds layer after layer, without those whose like is built already. `form`(il): what the layer's part of the graph depends on besides its
  /// tensors, its spec and that it is the first or the last.
  template <class Build, class Form>
  void for_each_layer(Build&& build, Form&& form) {
    std::vector<int> forms;
    for (int il = 0; il < n_layers(); ++il) forms.push_back(static_cast<int>(form(il)));
    kept_ = keep_layers(kinds_of(forms), detail_);
    for (const int il : kept_.layers) {
      build(il);
      graph.marks.push_back({graph.nodes.size(), graph.leafs.size()});
    }
  }
  template <class Build>
  void for_each_layer(Build&& build) {
    for_each_layer(build, [](int) { return 0; });
  }
  [[nodiscard]] const KeptLayers& kept() const { return kept_; }

  [[nodiscard]] int n_layers() const { return static_cast<int>(model.layers.size()); }
  [[nodiscard]] const LayerSpec& layer(int il) const { return model.layers[static_cast<std::size_t>(il)]; }

  /// A tensor of the file by its GGUF name, without "blk.N." and ".weight"; null if the file has none. `il` kNowhere: outside the layers.
  Node* matrix(std::string_view name, int il);
  /// Norms, biases and other vectors; `index` 1: the second of the same name (the bias of a norm).
  Node* vector(std::string_view name, int il, int index = 0);
  Linear linear(std::string_view name, int il) { return {matrix(name, il), vector(name, il)}; }
  /// A tensor that is a vector in some files and a matrix in others.
  Node* parameter(std::string_view name, int il);

  /// Factors of the rotation's frequencies, or null.
  Node* rope_factors(int il);

  /// The embedded tokens. `parts`: an image brings as many vectors of the hidden size for each token.
  Node* embed(bool scaled = false, std::int64_t parts = 1);
  /// What a prediction layer is given: the next token's embedding and the last state, normalized, side by side, projected (src/models/*.cpp, graph_mtp).
  Node* draft_input(int il);
  /// The state behind it, normalized by the layer's own norm or the model's.
  Node* draft_norm(Node* state, int il);
  /// The layer's own head or the model's.
  Node* draft_head(int il);
  Node* positions(std::int64_t per_token = 1);
  Node* output_ids();
  CacheInputs cache_inputs();
  /// Masks only.
  CacheInputs encoder_inputs();
  /// The matrix that rotates keys with heads of this size.
  Node* rotation(std::int64_t head);
  /// Of a cache of keys alone. `is_half`: the type of the mask; `rotated_head` elements of a head whose keys are rotated, 0 if none is.
  AttentionInputs key_inputs(std::int64_t cells, bool is_half, std::int64_t rotated_head = 0);

  Node* norm(Node* a, std::string_view name, int il, NormKind kind = NormKind::rms);
  Node* apply(const Linear& linear, Node* a);
  /// Projections of layer `il`, fused or not, as [head, heads, tokens]. `heads`: the layer's.
  Qkv qkv(Node* a, int il, const FullAttention& heads);
  /// Writes keys and values to the cache, attends, projects back.
  Node* attend(const CacheInputs& inputs, Qkv qkv, int il, const AttentionExtras& extras = {});
  /// The same without the projection: all heads of a token side by side.
  Node* attend_heads(const CacheInputs& inputs, Qkv qkv, int il, const AttentionExtras& extras = {});
  Node* project(Node* attended, int il);
  /// Without a cache.
  Node* attend_tokens(const CacheInputs& inputs, Qkv qkv, int il);
  /// Attention proper. k, v: views of a cache, [head, heads, cells, streams] and, transposed or not, its like.
  Node* attention(Node* q, Node* k, Node* v, Node* mask, const AttentionExtras& extras);

  /// up, gate (if it is there) and down of `suffix` ("" or "_shexp"). An up of double width holds the gate too.
  Node* ffn(Node* a, int il, std::string_view suffix, Unary activation, std::int64_t ffn_size);
  /// `logits` of the router, if they are not what its matrix makes of `a`.
  Node* moe(Node* a, int il, const MoeFfn& spec, const MoeStyle& style, Node* logits = nullptr);
  /// What the chosen experts make of `input` [hidden, 1 or used, tokens].
  Node* experts(Node* input, Node* chosen, int il, Unary activation);

  /// The layer whose keys and values `il` reads: the last of its kind that has its own (src/llama-model.cpp, layer_reuse_cb).
  [[nodiscard]] int cache_layer(int il) const;
  Node* key_cache(int il);
  Node* value_cache(int il);
  Node* store_keys(Node* cache, Node* k, Node* index);
  Node* store_values(Node* cache, Node* v, Node* index);
  /// The cached keys as attention reads them. `head`, `heads`: of the layer.
  Node* read_keys(Node* cache, std::int64_t head, std::int64_t heads);
  Node* read_values(Node* cache, std::int64_t head, std::int64_t heads);

  /// The vectors of an embedding model's sequences (llm_graph_context::build_pooling).
  void pool(Node* state);
  /// Marks `logits` and the state before them as results, and closes the graph.
  void finish(Node* state, Node* logits);

  /// The backend that holds layer `il`; the host's is n_devices.
  [[nodiscard]] int backend_of(int il) const;
  [[nodiscard]] int host() const { return placement_.n_devices; }
  [[nodiscard]] int cache_buffer(int il) const;

  /// Before the graph is split: nodes are computed where the engine pins them as it runs.
  void pin_nodes() const;
  /// Whether the scheduler put every node where the engine pins it as it runs, so that the graph is the same then. Of a plan that was split.
  [[nodiscard]] bool is_as_run() const;

 private:
  struct Pin {
    Node* node = nullptr;
    int backend = 0;
  };
  /// As it runs: the node is computed there (src/llama-context.cpp, graph_get_cb).
  void pin(Node* node, int backend) { pins_.push_back({node, backend}); }
  [[nodiscard]] const Tensor* find(std::string_view name, int il, bool is_matrix, int index) const;
  Node* load(const Tensor& tensor, int il);
  AttentionInputs inputs_of(std::int64_t cells, const CachedHeads& heads);
  [[nodiscard]] CachedHeads cached_heads(int il) const;
  /// Head sizes of the layers that share a cache; 0 where they differ. `splits`: layers with a window have a cache of their own.
  [[nodiscard]] CachedHeads heads_of_cache(bool splits, bool is_windowed) const;
  [[nodiscard]] int buffer_of(const Tensor& tensor) const;
  [[nodiscard]] std::vector<int> kinds_of(const std::vector<int>& forms) const;
  /// Where the layer's tensors lie, and how large those are that a device may copy.
  void add_copied(int il, std::vector<std::int64_t>& likeness) const;

  const llama_cpp::Placement& placement_;
  const Job& job_;
  std::vector<std::size_t> first_row_;  ///< of job.tensors, by layer + 1
  std::vector<Node*> loaded_;           ///< by row of job.tensors
  Node* tied_output_ = nullptr;
  std::vector<Node*> rope_factors_;  ///< by backend: the layers of one share a table
  Detail detail_;
  KeptLayers kept_;
  bool pins_norms_ = false;
  std::vector<Pin> pins_;
  bool has_windowed_cache_ = false;
};

}  // namespace weighbridge::llama_graph
