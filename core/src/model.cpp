// SPDX-License-Identifier: Apache-2.0
#include "weighbridge/model.hpp"

#include <algorithm>

#include "overloaded.hpp"
#include "tensor_layer.hpp"

namespace weighbridge {

const FullAttention* grouped_attention(const Mixer& mixer) {
  return std::visit(Overloaded{[](const FullAttention& a) -> const FullAttention* { return &a; }, [](const SlidingAttention& a) { return &a.heads; },
                               [](const ChunkedAttention& a) { return &a.heads; }, [](const CrossAttention& a) { return &a.heads; },
                               [](const EncoderAttention& a) { return &a.heads; }, [](const auto&) -> const FullAttention* { return nullptr; }},
                    mixer);
}

void LayerList::clear() {
  kinds_.clear();
  kind_of_.clear();
}

void LayerList::append(std::size_t count, const LayerSpec& layer) {
  if (count == 0) return;
  const auto known = std::find(kinds_.begin(), kinds_.end(), layer);
  const std::int64_t kind = known - kinds_.begin();
  if (known == kinds_.end()) kinds_.push_back(layer);
  for (std::size_t i = 0; i < count; ++i) kind_of_.push_back(kind);
}

void LayerList::append(const LayerList& layers) {
  for (const LayerSpec& layer : layers) push_back(layer);
}

void LayerList::assign(std::size_t count, const LayerSpec& layer) {
  clear();
  append(count, layer);
}

const FullAttention* first_grouped_attention(const LayerList& layers) {
  for (const LayerSpec& layer : layers.kinds())
    if (const FullAttention* heads = grouped_attention(layer.mixer)) return heads;
  return nullptr;
}

const LatentAttention* first_latent_attention(const LayerList& layers) {
  for (const LayerSpec& layer : layers.kinds())
    if (const auto* latent = std::get_if<LatentAttention>(&layer.mixer)) return latent;
  return nullptr;
}

std::int64_t attention_heads(const Model& model) {
  if (const FullAttention* heads = first_grouped_attention(model.layers)) return heads->n_heads;
  for (const LayerSpec& layer : model.layers.kinds()) {
    if (const auto* latent = std::get_if<LatentAttention>(&layer.mixer)) return latent->n_heads;
    if (const auto* compressed = std::get_if<CompressedAttention>(&layer.mixer)) return compressed->n_heads;
  }
  return 0;
}

const RecurrentMixer* recurrent_part(const LayerSpec& layer) {
  if (layer.beside) return &*layer.beside;
  return std::get_if<RecurrentMixer>(&layer.mixer);
}

namespace {

std::int64_t hub_elements(const Tensor& tensor) {
  if (tensor.is_uncounted) return 0;
  if (tensor.type.hub_count == 0) return tensor.elements();
  const std::int64_t line = tensor.cols > 1 ? tensor.cols : tensor.rows;
  const std::int64_t lines = tensor.cols > 1 ? tensor.rows : 1;
  return tensor.copies() * lines * ceil_div(line, tensor.type.block_size) * tensor.type.hub_count;
}

}  // namespace

ParameterCounts count_parameters(const std::vector<Tensor>& tensors) {
  ParameterCounts counts;
  for (const Tensor& tensor : tensors) {
    counts.stored += hub_elements(tensor);
    if (tensor.is_scale || tensor.is_copy) continue;
    switch (tensor.part) {
      case ModelPart::text:
        counts.text += tensor.elements();
        break;
      case ModelPart::mtp:
        counts.mtp += tensor.elements();
        break;
      case ModelPart::tower:
      case ModelPart::speech:
        counts.multimodal += tensor.elements();
        break;
    }
  }
  return counts;
}

std::int64_t count_active_parameters(const Model& model) {
  std::int64_t active = 0;
  for (const Tensor& tensor : model.tensors) {
    if (tensor.is_scale || tensor.is_copy || tensor.part != ModelPart::text) continue;
    const bool routed = tensor.role == TensorRole::expert_gate_up || tensor.role == TensorRole::expert_down;
    if (!routed) {
      active += tensor.elements();
      continue;
    }
    const auto& layer = layer_of(model, tensor);
    active += tensor.layers.count * std::get<MoeFfn>(layer.ffn).n_experts_used * tensor.rows * tensor.cols;
  }
  return active;
}

Bytes total_bytes(const std::vector<Tensor>& tensors) {
  Bytes total;
  for (const Tensor& tensor : tensors) total += tensor.bytes();
  return total;
}

std::int64_t cache_values_per_token(const Mixer& mixer) {
  const auto heads = [](const FullAttention& a) { return a.n_kv_heads * (a.head_dim_k + a.head_dim_v) + a.indexer.cached_values(); };
  return std::visit(Overloaded{heads, [&](const SlidingAttention& a) { return heads(a.heads); },
                               [&](const ChunkedAttention& a) { return heads(a.heads); },
                               [](const LatentAttention& a) { return a.kv_lora_rank + a.qk_rope_head_dim + a.indexer.cached_values(); },
                               [](const CompressedAttention& a) { return a.head_dim + a.indexer.cached_values(); },
                               [](const CrossAttention&) { return std::int64_t{0}; }, [](const EncoderAttention&) { return std::int64_t{0}; },
                               [](const RecurrentMixer&) { return std::int64_t{0}; }, [](const NoMixer&) { return std::int64_t{0}; }},
                    mixer);
}

SlidingLayers sliding_layers(const Model& model) {
  SlidingLayers found;
  for (const LayerSpec& layer : model.layers) {
    const auto* sliding = std::get_if<SlidingAttention>(&layer.mixer);
    if (sliding == nullptr) continue;
    ++found.n_layers;
    found.window = std::max(found.window, sliding->window);
  }
  return found;
}

const MoeFfn* first_moe(const Model& model) {
  for (const LayerSpec& layer : model.layers.kinds())
    if (const auto* moe = std::get_if<MoeFfn>(&layer.ffn)) return moe;
  return nullptr;
}

std::int64_t largest_dense_ffn(const Model& model) {
  std::int64_t largest = 0;
  for (const LayerSpec& layer : model.layers.kinds())
    if (const auto* dense = std::get_if<DenseFfn>(&layer.ffn)) largest = std::max(largest, dense->ffn_size);
  return largest;
}

std::string_view attention_kind(const Model& model) {
  if (first_latent_attention(model.layers) != nullptr) return "mla";
  const FullAttention* heads = first_grouped_attention(model.layers);
  if (heads == nullptr) return attention_heads(model) > 0 ? "compressed" : "none";
  if (heads->n_kv_heads == heads->n_heads) return "mha";
  return heads->n_kv_heads == 1 ? "mqa" : "gqa";
}

}  // namespace weighbridge
