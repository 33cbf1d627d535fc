// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "json_text.hpp"
#include "quantize.hpp"
#include "spec_fields.hpp"
#include "weighbridge/model_spec.hpp"

namespace weighbridge {

namespace {

/// Appends what it visits to a row.
class RowWriter {
 public:
  void operator()(std::int64_t value) { row.push_back(value); }
  void operator()(bool value) { row.push_back(value ? 1 : 0); }
  void operator()(DType value) { row.push_back(std::string(value.name)); }
  template <class Enum>
  requires std::is_enum_v<Enum>
  void operator()(Enum value) { row.push_back(static_cast<int>(value)); }

  Json row = Json::array();
};

/// The fields of `value`, without those at the end that a default one has too.
template <class T>
Json row_of(T value) {
  RowWriter writer;
  spec::fields(writer, value);
  RowWriter usual;
  T plain{};
  spec::fields(usual, plain);
  Json& row = writer.row;
  while (!row.empty() && row.back() == usual.row[row.size() - 1]) row.erase(row.size() - 1);
  return std::move(row);
}

template <class Variant, class Names>
Json named_row(const Variant& variant, const Names& names) {
  Json row = std::visit([](const auto& alternative) { return row_of(alternative); }, variant);
  row.insert(row.begin(), std::string(names[variant.index()]));
  return row;
}

Json kind_of(const LayerSpec& layer) {
  Json kind{named_row(layer.mixer, spec::kMixers), named_row(layer.ffn, spec::kFfns)};
  if (layer.beside) kind.push_back(row_of(*layer.beside));
  if (layer.shares_cache) kind.push_back("shares_cache");
  return kind;
}

/// Runs of equal layers: `[kind, count, …]`; kinds that are new are added.
Json runs_of(const LayerList& layers, Json& kinds) {
  Json runs = Json::array();
  for (std::size_t begin = 0; begin < layers.size();) {
    std::size_t end = begin + 1;
    while (end < layers.size() && layers[end] == layers[begin]) ++end;
    const Json kind = kind_of(layers[begin]);
    const auto known = std::find(kinds.begin(), kinds.end(), kind);
    runs.push_back(known - kinds.begin());
    runs.push_back(end - begin);
    if (known == kinds.end()) kinds.push_back(kind);
    begin = end;
  }
  return runs;
}

std::size_t index_of(std::vector<std::string>& names, std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  names.emplace_back(name);
  return names.size() - 1;
}

Json rows_of(const std::vector<Tensor>& tensors, std::vector<std::string>& names) {
  Json rows = Json::array();
  for (const Tensor& tensor : tensors) {
    Json row = row_of(tensor);
    row.insert(row.begin(), index_of(names, std::string(tensor.name) + (tensor.gguf.empty() ? "" : " ") + std::string(tensor.gguf)));
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

Json write_spec(const Model& model, std::vector<std::string>& names) {
  Json kinds = Json::array();
  const Json layers = runs_of(model.layers, kinds);
  const Json mtp_layers = runs_of(model.mtp_layers, kinds);
  Json spec{{"architecture", model.architecture}, {"of", row_of(model)}, {"kinds", std::move(kinds)}, {"layers", layers}};
  if (!mtp_layers.empty()) spec["mtp_layers"] = mtp_layers;
  if (model.vision) spec["vision"] = row_of(*model.vision);
  for (const WeightsLayout& recipe : model.recipes) spec["recipes"].push_back(row_of(recipe));
  spec["tensors"] = rows_of(model.plain, names);
  if (model.tensors != stored_tensors(model)) spec["stored"] = rows_of(model.tensors, names);
  return spec;
}

Json write_spec_alone(const Model& model) {
  std::vector<std::string> names;
  Json spec = write_spec(model, names);
  spec["names"] = std::move(names);
  return spec;
}

}  // namespace weighbridge
