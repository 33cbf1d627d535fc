// SPDX-License-Identifier: Apache-2.0
// What Ollama's own formulas say that a model takes (ollama/ollama v0.12.10 fs/ggml/ggml.go, GraphSize; llm/memory.go). They decided how many
// layers went to the GPUs; what they say of graphs is often far from what the graphs took.
#include <algorithm>

#include "engine/llama_cpp/llama_cpp.hpp"
#include "engine/ollama/ollama.hpp"
#include "gguf/architecture.hpp"
#include "json_text.hpp"
#include "llama_graph/simulate.hpp"

namespace weighbridge::ollama {

namespace {

/// A whole number that saturates: a hostile model's sizes end at the largest one.
struct Count {
  Bytes value;

  // NOLINTNEXTLINE(google-explicit-constructor): formulas stand as in the source.
  Count(std::int64_t number) : value(static_cast<std::uint64_t>(std::max<std::int64_t>(number, 0))) {}
  explicit Count(Bytes bytes) : value(bytes) {}
  friend Count operator+(Count a, Count b) { return Count(a.value + b.value); }
  friend Count operator*(Count a, Count b) { return Count(a.value * b.value.count()); }
  friend Count operator/(Count a, Count b) { return Count(a.value / std::max<std::uint64_t>(b.value.count(), 1)); }
  friend bool operator<(Count a, Count b) { return a.value < b.value; }
};

/// The names of GraphSize.
struct Sizes {
  Count context, batch, embedding, heads, kv_heads, key, vocab;
  std::int64_t sequences;
  bool unfolds;  ///< the file unfolds MLA's latents
};

/// Keys and values of one layer as the file's keys say them; nothing for a layer that remembers in another way.
struct CachedLayer {
  std::int64_t heads = 0;
  std::int64_t values = 0;  ///< of one head's key and value
};

CachedLayer cached_layer(const Mixer& mixer, bool unfolds) {
  if (const auto* latent = std::get_if<LatentAttention>(&mixer)) {
    if (unfolds) return {latent->n_heads, latent->qk_nope_head_dim + latent->qk_rope_head_dim + latent->head_dim_v};
    return {1, 2 * latent->kv_lora_rank + latent->qk_rope_head_dim};
  }
  const FullAttention* heads = grouped_attention(mixer);
  return heads == nullptr ? CachedLayer{} : CachedLayer{heads->n_kv_heads, heads->head_dim_k + heads->head_dim_v};
}

Sizes sizes_of(const Job& job, std::int64_t tokens, std::int64_t sequences, std::int64_t batch) {
  const Model& model = job.model;
  const bool unfolds = llama_graph::unfolds_latents(job.tensors);
  std::int64_t kv_heads = 1;
  std::int64_t key = 0;
  for (const LayerSpec& layer : model.layers) {
    kv_heads = std::max(kv_heads, cached_layer(layer.mixer, unfolds).heads);
    if (const FullAttention* heads = grouped_attention(layer.mixer); heads != nullptr && key == 0) key = heads->head_dim_k;
    if (const auto* latent = std::get_if<LatentAttention>(&layer.mixer))
      key = (unfolds ? latent->qk_nope_head_dim : latent->kv_lora_rank) + latent->qk_rope_head_dim;
  }
  return {tokens, batch, model.hidden_size, std::max<std::int64_t>(attention_heads(model), 1), kv_heads, key, model.vocab_size, sequences, unfolds};
}

struct Graphs {
  Count full = 0;
  Count partial = 0;
};

Count vocabulary_copy(const Sizes& s) { return s.embedding * s.vocab * 105 / 128; }

Graphs llama_graphs(const Job& job, const Sizes& s) {
  const auto& [context, batch, embedding, heads, kv_heads, key, vocab, sequences, unfolds] = s;
  const Count head_dim = embedding / heads;
  Graphs g;
  g.full = std::max(4 * batch * (1 + 4 * embedding + context * (1 + heads)), 4 * batch * (embedding + vocab));
  g.partial = 4 * batch * embedding + std::max(4 * batch * (1 + embedding + std::max(context, embedding)) + embedding * embedding * 9 / 16 +
                                                   4 * context * (batch * heads + head_dim * kv_heads),
                                               4 * batch * (embedding + vocab) + vocabulary_copy(s));
  const auto experts = std::find_if(job.tensors.begin(), job.tensors.end(),
                                    [](const Tensor& tensor) { return tensor.layers.first == 0 && tensor.name == "ffn_gate_exps"; });
  if (experts == job.tensors.end()) return g;
  const Count ffn = largest_dense_ffn(job.model) > 0 ? largest_dense_ffn(job.model) : experts->rows;
  g.partial = std::max(3 * Count(llama_cpp::load_of(*experts).plain) + 4 * batch * (2 * ffn + kv_heads + embedding + context + head_dim * kv_heads),
                       4 * (context * batch * heads + context * head_dim * kv_heads + batch * 1024 + head_dim * kv_heads * batch));
  return g;
}

Graphs gemma_graphs(const Sizes& s, bool is_3n) {
  const auto& [context, batch, embedding, heads, kv_heads, key, vocab, sequences, unfolds] = s;
  Graphs g{std::max(4 * batch * (embedding + vocab), 4 * batch * (2 + context + context * heads + 2 * embedding + 2 * key * heads)),
           std::max(4 * embedding * batch + vocabulary_copy(s) + 4 * vocab * batch,
                    4 * batch * (2 * embedding + 1 + 2 * key * heads + context + context * heads) + 4 * key * context * 8 +
                        embedding * key * heads * 9 / 16)};
  if (is_3n) g = {g.full * 4, g.partial * 4};
  return g;
}

Graphs deepseek_graphs(const Sizes& s) {
  const auto& [context, batch, embedding, heads, kv_heads, key, vocab, sequences, unfolds] = s;
  return {std::max(4 * batch * (3 * embedding + vocab), 4 * batch * (3 * embedding + 2 + context * (1 + kv_heads) + 2 * key * kv_heads)),
          std::max(4 * batch * (3 * embedding + vocab) + vocabulary_copy(s),
                   4 * batch * (2 * embedding + 1 + 2 * key * kv_heads + context + context * kv_heads) + 4 * key * context * kv_heads +
                       embedding * key * kv_heads * 9 / 16)};
}

/// Of architectures with a formula of their own; nothing for the others.
Graphs own_formula(const Job& job, const Sizes& s, std::string_view architecture) {
  const auto& [context, batch, embedding, heads, kv_heads, key, vocab, sequences, unfolds] = s;
  if (is_any_of(architecture, {"llama", "llama4"})) return llama_graphs(job, s);
  if (is_any_of(architecture, {"gemma", "gemma2", "gemma3", "gemma3n"})) return gemma_graphs(s, architecture == "gemma3n");
  if (architecture == "deepseek2") return deepseek_graphs(s);
  const Count logits = 4 * batch * (embedding + vocab);
  if (architecture == "command-r")
    return {std::max(logits, 4 * batch * (2 + 4 * embedding + context * (1 + heads))),
            std::max(logits + vocabulary_copy(s),
                     4 * batch * (1 + 2 * embedding + context * (1 + heads)) + 4 * embedding * context + embedding * embedding * 9 / 16)};
  if (architecture == "qwen2")
    return {std::max(logits, 4 * batch * (1 + 2 * embedding + context + context * heads)),
            std::max(logits + vocabulary_copy(s), 4 * (batch * (1 + 2 * embedding + context * (1 + heads)) + embedding * (1 + context)))};
  if (architecture == "phi2")
    return {std::max(logits, 4 * batch * (1 + 4 * embedding + context + context * heads)),
            std::max(4 * batch * (2 * embedding + vocab) + vocabulary_copy(s), 4 * batch * (2 + 3 * embedding + context + context * heads))};
  if (architecture == "stablelm") {
    const Count full = 4 * batch * (context * (1 + heads) + 3 * embedding + 2);
    return {full, std::max(4 * batch * (vocab + 2 * embedding), full)};
  }
  return {};
}

/// Whether GraphSize counts a window instead of the context for this layer, and how long it takes that to be; 0: the context.
std::int64_t window_of(std::string_view architecture, const LayerSpec& layer) {
  const auto* sliding = std::get_if<SlidingAttention>(&layer.mixer);
  if (sliding == nullptr) return 0;
  constexpr std::int64_t gpt_oss_memory = 4096;  // model/models/gptoss/model.go, NewSWAMemCache
  if (architecture == "gpt-oss") return gpt_oss_memory;
  return architecture == "gemma3" ? sliding->window : 0;
}

/// kvCacheBytesPerElement, twice.
std::uint64_t half_bytes(std::string_view cache_type) {
  if (cache_type == "q8_0") return 2;
  return cache_type == "q4_0" ? 1 : 4;
}

Bytes cache_of(const LayerSpec& layer, std::int64_t window, const Sizes& s, std::string_view cache_type) {
  const CachedLayer cached = cached_layer(layer.mixer, s.unfolds);
  const Count tokens = window > 0 ? Count(s.sequences) * window + s.batch : s.context;
  return (tokens * cached.values * cached.heads).value * half_bytes(cache_type) / 2;
}

/// VisionGraphSize: of the image encoders that its own engine has and counts.
Bytes image_graph(const Job& job, std::string_view architecture) {
  const VisionTower* tower = job.model.vision ? &*job.model.vision : nullptr;
  if (tower == nullptr || tower->patch_size == 0 || !is_any_of(architecture, {"gemma3", "mistral3"})) return Bytes();
  const Count patches = tower->patches();
  return (4 * (Count(tower->image_size) * tower->image_size * tower->n_channels + Count(tower->hidden_size) * tower->patch_size +
               patches * patches * tower->n_heads))
      .value;
}

/// Before 0.11.8 gpt-oss had no flash attention, and until 0.11.5 its estimate changed with every release.
Graphs gpt_oss_graphs(const Way& way, const Sizes& s, Bytes whole_cache) {
  constexpr int one_estimate = 11'005;
  constexpr int halved = 11'003;
  constexpr std::int64_t fixed_mib = 110;
  const Count group = s.heads / s.kv_heads;
  const Count full = 4 * group * Count(whole_cache) / 6;
  if (way.release < one_estimate) return {full, way.release < halved ? 2 * full : full};
  if (way.flash_attention) return {0, Count(kMiB) * (4 * Count(way.sequences) + Count(way.tokens / 1024) + fixed_mib)};
  return {0, 2 * group * Count(whole_cache) / 6};
}

Bytes minimum_of(const Scenario& scenario, bool is_metal) {
  constexpr std::uint64_t metal_mib = 512;
  constexpr std::uint64_t other_mib = 457;
  const std::int64_t overhead = scenario.options.llama_cpp.gpu_overhead.value_or(0);
  return kMiB * (is_metal ? metal_mib : other_mib) + Bytes(static_cast<std::uint64_t>(std::max<std::int64_t>(overhead, 0)));
}

}  // namespace

Bytes Books::total(std::size_t n_devices) const {
  Bytes sum = output + images;
  for (const Bytes layer : layers) sum += layer;
  return sum + (graph() + minimum + aside) * n_devices;
}

Books books_of(const Job& job, const Way& way) {
  std::shared_ptr<const void> kept;
  const llama_cpp::Loads& loads = llama_cpp::loads_of(job, job.memo != nullptr ? job.memo->loads : kept);
  const std::string_view architecture = gguf::architecture_of(job.model);
  const Sizes sizes = sizes_of(job, way.tokens, way.sequences, way.batch);
  Books books;
  books.output = loads.output.plain + (loads.head == llama_cpp::TiedHead::none ? Bytes() : loads.embedding.plain);
  Bytes cache, whole_cache;
  Bytes widest = std::max(loads.output.plain, loads.embedding.plain);
  for (std::size_t i = 0; i < job.model.layers.size(); ++i) {
    const LayerSpec& layer = job.model.layers[i];
    const Bytes own = cache_of(layer, window_of(architecture, layer), sizes, way.cache_type);
    const Bytes weights = loads.layers[i].plain + loads.experts[i].plain;
    cache += own;
    whole_cache += cache_of(layer, 0, sizes, way.cache_type);
    widest = std::max(widest, weights);
    if (i == 0) books.aside = weights + own;
    books.layers.push_back(weights + own);
    if (i == 0 && way.rules.widest_aside) books.aside = own;
  }
  if (way.rules.widest_aside) books.aside += widest;

  Graphs graphs = architecture == "gpt-oss" ? gpt_oss_graphs(way, sizes, whole_cache) : own_formula(job, sizes, architecture);
  if (graphs.partial.value == Bytes()) graphs.partial = sizes.heads / sizes.kv_heads * Count(cache) / 6;
  if (graphs.full.value == Bytes()) graphs.full = graphs.partial;
  const bool is_metal = !job.scenario.hardware.empty() && job.scenario.hardware.front().device.backend == "metal";
  books.full = graphs.full.value;
  books.partial = is_metal ? graphs.full.value : graphs.partial.value;
  books.minimum = minimum_of(job.scenario, is_metal);
  const Bytes encoder = llama_cpp::projector_bytes(job) + (way.itself ? image_graph(job, architecture) : Bytes());
  (way.itself && way.rules.images_last ? books.output : books.images) += encoder;
  books.requested = job.scenario.options.llama_cpp.n_gpu_layers.value_or(-1);
  return books;
}

}  // namespace weighbridge::ollama
