// SPDX-License-Identifier: Apache-2.0
#include "read/tensor_list.hpp"

#include <algorithm>

#include "gguf/names.hpp"
#include "tensor_names.hpp"

namespace weighbridge {

std::vector<LayerSet> layer_sets(const std::vector<std::int64_t>& layers) {
  std::vector<LayerSet> sets;
  for (std::size_t i = 0; i < layers.size();) {
    LayerSet set{layers[i], 1, 1};
    std::size_t next = i + 1;
    if (next < layers.size()) set.stride = layers[next] - layers[i];
    while (next < layers.size() && layers[next] == set.at(set.count)) {
      ++set.count;
      ++next;
    }
    // Two layers far apart are no progression if the second begins a better one.
    const bool better_alone = set.count == 2 && set.stride > 1 && next < layers.size() && layers[next] - layers[next - 1] < set.stride;
    if (better_alone) set = {layers[i], 1, 1}, next = i + 1;
    if (set.count == 1) set.stride = 1;
    sets.push_back(set);
    i = next;
  }
  return sets;
}

void TensorList::at_layer(std::int64_t index, std::string_view prefix) {
  layer_ = index;
  prefix_ = prefix;
  cursor_ = 0;
}

Tensor TensorList::described(const TensorRow& row) const {
  Tensor tensor;
  const TensorName* known = find_tensor_name(row.name);
  const TensorRole by_name = known != nullptr ? known->role : TensorRole::projection;
  tensor.role = part_ == ModelPart::tower || part_ == ModelPart::speech ? TensorRole::tower : row.role.value_or(by_name);
  tensor.part = part_;
  tensor.per_layer = row.copies * copies_;
  tensor.rows = row.rows;
  tensor.cols = row.cols;
  tensor.type = row.type.value_or(base_);
  tensor.shards = row.shards;
  tensor.is_copy = row.is_copy;
  return tensor;
}

void TensorList::add(const TensorRow& row) { put_here(row.name, described(row)); }

void TensorList::scalar(std::string_view name) {
  Tensor tensor = described({.name = name, .rows = 1, .role = TensorRole::norm, .is_copy = true});
  tensor.is_uncounted = true;
  put_here(name, tensor);
}

void TensorList::put_here(std::string_view name, const Tensor& tensor) {
  std::string whole(root_);
  if (layer_ >= 0) whole += prefix_;
  whole += name;
  put(whole, tensor);
}

void TensorList::put(std::string_view name, const Tensor& tensor) {
  const auto equals = [&](const Row& row) {
    return row.tensor == tensor && names_[row.name] == name && (row.layers.empty() ? layer_ < 0 : layer_ > row.layers.back());
  };
  if (layer_ >= 0) {
    for (std::size_t step = 0; step < rows_.size(); ++step) {
      const std::size_t at = (cursor_ + step) % rows_.size();
      if (!equals(rows_[at])) continue;
      rows_[at].layers.push_back(layer_);
      cursor_ = at + 1;
      return;
    }
  }
  rows_.push_back({tensor, find_or_add_name(name), {}});
  if (layer_ >= 0) rows_.back().layers.push_back(layer_);
  cursor_ = rows_.size();
}

std::size_t TensorList::find_or_add_name(std::string_view name) {
  const auto found = std::find(names_.begin(), names_.end(), name);
  if (found != names_.end()) return static_cast<std::size_t>(found - names_.begin());
  names_.emplace_back(name);
  return names_.size() - 1;
}

void TensorList::linear(std::string_view name, std::int64_t rows, std::int64_t cols, bool bias) {
  const std::string text(name);
  add({.name = text + ".weight", .rows = rows, .cols = cols});
  if (bias) add({.name = text + ".bias", .rows = rows});
}

void TensorList::norm(std::string_view name, std::int64_t size, bool bias) { linear(name, size, 1, bias); }

void TensorList::finish(Model& model) && {
  auto names = std::make_shared<const std::vector<std::string>>(std::move(names_));
  for (const Row& row : rows_) {
    Tensor tensor = row.tensor;
    tensor.name = (*names)[row.name];
    if (row.layers.empty()) {
      tensor.gguf = gguf_name_of(model, tensor);
      model.plain.push_back(tensor);
    }
    for (const LayerSet& set : layer_sets(row.layers)) {
      tensor.layers = set;
      tensor.gguf = gguf_name_of(model, tensor);
      model.plain.push_back(tensor);
    }
  }
  model.names.texts = std::move(names);
}

}  // namespace weighbridge
