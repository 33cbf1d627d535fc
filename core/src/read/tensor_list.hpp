// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "weighbridge/model.hpp"

namespace weighbridge {

/// What a family says of one tensor. `name` is complete outside the layers and the part after the layer's number inside.
struct TensorRow {
  std::string_view name;
  std::int64_t rows = 0;
  std::int64_t cols = 1;
  std::int64_t copies = 1;                        ///< equal tensors in this layer: the experts
  std::optional<TensorRole> role = std::nullopt;  ///< unless the name tells (tensor_names.cpp): needed for the parts of a fused matrix and in towers
  std::optional<DType> type = std::nullopt;       ///< unless it is the checkpoint's base type
  std::int64_t shards = 1;                        ///< see Tensor::shards
  bool is_copy = false;                           ///< stored, but neither a parameter nor loaded
};

/// `layers`, ascending, as few evenly spaced sets, in order.
[[nodiscard]] std::vector<LayerSet> layer_sets(const std::vector<std::int64_t>& layers);

/// The inventory of a checkpoint, written down layer by layer. Equal rows of several layers become one.
class TensorList {
 public:
  explicit TensorList(DType base) : base_(base) {}

  /// The following rows lie outside the layers.
  void outside() { layer_ = -1; }
  /// The following rows belong to layer `index`; their names begin with `prefix`, which ends in ".{layer}.".
  void at_layer(std::int64_t index, std::string_view prefix = "model.layers.{layer}.");
  /// What comes before the names of the following rows, those in layers too.
  void root(std::string_view root) { root_ = root; }
  /// The following rows belong to this part of the checkpoint.
  void part(ModelPart part) { part_ = part; }
  /// The number of equal tensors that the following rows stand for; 1 to end.
  void copies(std::int64_t copies) { copies_ = copies; }

  void add(const TensorRow& row);
  /// `name`.weight of [rows, cols], and `name`.bias of [rows].
  void linear(std::string_view name, std::int64_t rows, std::int64_t cols, bool bias = false);
  /// `name`.weight of [size], and `name`.bias.
  void norm(std::string_view name, std::int64_t size, bool bias = false);
  /// The last row is a tied matrix that the checkpoint holds a second time.
  void mark_copy() { rows_.back().tensor.is_copy = true; }
  /// A tensor without dimensions that is no parameter, such as a bound.
  void scalar(std::string_view name);

  /// Hands the rows and their names to `model.plain` and `model.names`.
  void finish(Model& model) &&;

 private:
  struct Row {
    Tensor tensor;                     ///< its name lies in names_ only when all is there
    std::size_t name = 0;              ///< index of its name
    std::vector<std::int64_t> layers;  ///< ascending
  };

  [[nodiscard]] std::size_t find_or_add_name(std::string_view name);
  [[nodiscard]] Tensor described(const TensorRow& row) const;
  /// `name` within the layer, if there is one.
  void put_here(std::string_view name, const Tensor& tensor);
  void put(std::string_view name, const Tensor& tensor);

  DType base_;
  ModelPart part_ = ModelPart::text;
  std::int64_t layer_ = -1;
  std::string_view root_;
  std::string_view prefix_;
  std::int64_t copies_ = 1;
  std::vector<std::string> names_;
  std::vector<Row> rows_;
  std::size_t cursor_ = 0;  ///< the row that the next one most likely equals
};

}  // namespace weighbridge
