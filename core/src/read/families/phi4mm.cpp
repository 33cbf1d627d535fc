// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"
#include "read/families/qwen_layers.hpp"
#include "read/towers/phi4_audio.hpp"
#include "read/towers/siglip.hpp"

namespace weighbridge {

namespace {

/// Adapters of a low rank on every matrix of every layer, one set for images and one for sound; vLLM loads them as LoRA.
void add_adapters(Draft& draft, const std::string& name, std::int64_t rank) {
  const Model& model = draft.model;
  const std::int64_t hidden = model.hidden_size;
  TensorList& tensors = draft.tensors;
  const auto add = [&](const char* matrix, std::int64_t rows, std::int64_t cols) {
    tensors.linear(std::string(matrix) + ".lora_A." + name, rank, cols);
    tensors.linear(std::string(matrix) + ".lora_B." + name, rows, rank);
  };
  tensors.part(ModelPart::tower);
  for (std::int64_t layer = 0; layer < model.n_layers(); ++layer) {
    const LayerSpec& spec = model.layers[static_cast<std::size_t>(layer)];
    const FullAttention& heads = *grouped_attention(spec.mixer);
    const std::int64_t ffn = std::get<DenseFfn>(spec.ffn).ffn_size;
    tensors.at_layer(layer);
    add("self_attn.qkv_proj", (heads.n_heads + 2 * heads.n_kv_heads) * heads.head_dim_k, hidden);
    add("self_attn.o_proj", hidden, heads.n_heads * heads.head_dim_v);
    add("mlp.gate_up_proj", 2 * ffn, hidden);
    add("mlp.down_proj", hidden, ffn);
  }
  tensors.part(ModelPart::text);
}

std::int64_t read_rank(KeyReader& config, std::string_view key, std::int64_t fallback) {
  std::optional<KeyReader> adapter = object_under(config, key);
  if (!adapter) return fallback;
  const std::int64_t rank = adapter->positive_or("r", config_limit::hidden, fallback, "");
  config.adopt(*adapter);
  return rank;
}

/// SigLIP of 448 pixels with its pooling head, an MLP, and learned vectors that part rows and tiles.
void add_images(Draft& draft) {
  constexpr VisionTower kSiglip{1152, 4304, 27, 16, 3, 14, 448, 0};
  const std::string base = "model.embed_tokens_extend.image_embed.";
  const std::string head = base + "img_processor.head.";
  const std::int64_t width = kSiglip.hidden_size;
  TensorList& tensors = draft.tensors;
  draft.model.vision = kSiglip;
  draft.model.vision->tokens_per_image = (16 + 1) * 16 * 16;  // dynamic_hd of vLLM's phi4mm.py, and the whole image
  add_siglip(tensors, kSiglip, base + "img_processor.");
  tensors.part(ModelPart::tower);
  tensors.outside();
  tensors.add({.name = head + "probe", .rows = width});
  tensors.add({.name = head + "attention.in_proj_weight", .rows = 3 * width, .cols = width});
  tensors.add({.name = head + "attention.in_proj_bias", .rows = 3 * width});
  tensors.linear(head + "attention.out_proj", width, width, true);
  tensors.norm(head + "layernorm", width, true);
  tensors.linear(head + "mlp.fc1", kSiglip.ffn_size, width, true);
  tensors.linear(head + "mlp.fc2", width, kSiglip.ffn_size, true);
  tensors.add({.name = base + "glb_GN", .rows = width});
  tensors.add({.name = base + "sub_GN", .rows = width});
  tensors.linear(base + "img_projection.0", draft.model.hidden_size, width, true);
  tensors.linear(base + "img_projection.2", draft.model.hidden_size, draft.model.hidden_size, true);
  tensors.part(ModelPart::text);
}

}  // namespace

/// Phi-4-multimodal (microsoft/Phi-4-multimodal-instruct modeling_phi4mm.py, vllm-project/vllm models/phi4mm.py, phi4mm_audio.py): Phi-4-mini with
/// encoders of images and sound, and adapters for each.
void read_phi4mm(KeyReader& config, Draft& draft) {
  draft.model.architecture = "phi3";
  read_phi3(config, draft);
  const std::int64_t image_rank = read_rank(config, "vision_lora", 256);
  const std::int64_t sound_rank = read_rank(config, "speech_lora", 320);
  if (config.error()) return;
  add_adapters(draft, "vision", image_rank);
  add_adapters(draft, "speech", sound_rank);
  add_images(draft);
  add_phi4_audio(config, draft, "model.embed_tokens_extend.audio_embed.");
}

}  // namespace weighbridge
