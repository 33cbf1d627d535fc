// SPDX-License-Identifier: Apache-2.0
#include "read/towers/sam.hpp"

namespace weighbridge {

void add_sam(TensorList& tensors, std::string_view root) {
  constexpr std::int64_t width = 768, n_layers = 12, patch = 16, grid = 64, window = 14, head_dim = 64, neck = 256;
  const std::string base(root);
  const std::string block = base + "blocks.{layer}.";
  tensors.part(ModelPart::tower);
  tensors.outside();
  tensors.add({.name = base + "pos_embed", .rows = grid * grid, .cols = width});
  tensors.linear(base + "patch_embed.proj", width, 3 * patch * patch, true);
  for (std::int64_t index = 0; index < n_layers; ++index) {
    const std::int64_t reach = index % 3 == 2 ? grid : window;  // every third block sees the whole image
    tensors.at_layer(index, block);
    tensors.norm("norm1", width, true);
    tensors.linear("attn.qkv", 3 * width, width, true);
    tensors.linear("attn.proj", width, width, true);
    tensors.add({.name = "attn.rel_pos_h", .rows = 2 * reach - 1, .cols = head_dim});
    tensors.add({.name = "attn.rel_pos_w", .rows = 2 * reach - 1, .cols = head_dim});
    tensors.norm("norm2", width, true);
    tensors.linear("mlp.lin1", 4 * width, width, true);
    tensors.linear("mlp.lin2", width, 4 * width, true);
  }
  tensors.outside();
  tensors.linear(base + "neck.0", neck, width);
  tensors.norm(base + "neck.1", neck, true);
  tensors.linear(base + "neck.2", neck, neck * 9);
  tensors.norm(base + "neck.3", neck, true);
  tensors.linear(base + "net_2", 2 * neck, neck * 9);
  tensors.linear(base + "net_3", kSamWidth, 2 * neck * 9);
}

}  // namespace weighbridge
