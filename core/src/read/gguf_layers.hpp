// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "weighbridge/file_reader.hpp"
#include "weighbridge/model.hpp"

namespace weighbridge {

/// "blk.3.attn_q.weight": `attn_q` of layer 3. Layer -1: outside the layers.
struct GgufTensorName {
  std::int64_t layer = -1;
  std::string_view name;
  bool is_bias = false;
};
[[nodiscard]] GgufTensorName gguf_tensor_name(std::string_view name);

/// The tensors of all parts by layer and name; of a matrix and its bias, the matrix.
class GgufInventory {
 public:
  explicit GgufInventory(const std::vector<GgufHeader>& parts);
  [[nodiscard]] const StoredTensor* find(std::int64_t layer, std::string_view name) const;
  [[nodiscard]] bool has(std::int64_t layer, std::string_view name) const { return find(layer, name) != nullptr; }
  /// Whether a layer holds any matrix of an attention or of a recurrent mixer, by whatever name.
  [[nodiscard]] bool has_mixer(std::int64_t layer) const;

 private:
  struct Row {
    GgufTensorName name;
    const StoredTensor* tensor = nullptr;
  };
  std::vector<Row> rows_;  ///< sorted
};

/// Fills the layers of `model`, whose sizes are known. False if the keys do not describe them.
[[nodiscard]] bool read_gguf_layers(const GgufHeader& header, const GgufInventory& tensors, Model& model);

}  // namespace weighbridge
