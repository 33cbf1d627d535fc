// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "json_text.hpp"
#include "overloaded.hpp"
#include "quantize.hpp"
#include "spec_fields.hpp"
#include "weighbridge/ggml_type.hpp"
#include "weighbridge/model_spec.hpp"

namespace weighbridge {

namespace {

constexpr std::int64_t kMostExact = std::int64_t{1} << 53;  // the last whole number that JSON carries exactly
constexpr std::int64_t kMostLayers = 4096;                  // config_limit::layers: what a config may claim
constexpr std::size_t kMostTensors = 100'000;               // a GGUF file of the most layers has 20 tensors in each

/// Takes the values of a row one after the other; where it ends, the rest keeps its default.
class RowReader {
 public:
  RowReader(const Json& row, std::size_t begin) : row_(row), next_(begin), ok_(row.is_array()) {}

  void operator()(std::int64_t& value) { value = whole(value, -1, kMostExact); }
  void operator()(bool& value) { value = whole(value ? 1 : 0, 0, 1) != 0; }
  void operator()(DType& value) {
    if (!more()) return;
    const Json& json = row_[next_++];
    const std::optional<DType> type = json.is_string() ? find_dtype(json.get_ref<const std::string&>()) : std::nullopt;
    ok_ = ok_ && type.has_value();
    value = type.value_or(value);
  }
  template <class Enum>
  requires std::is_enum_v<Enum>
  void operator()(Enum& value) { value = static_cast<Enum>(whole(static_cast<int>(value), 0, spec::last_of(value))); }

  [[nodiscard]] bool ok() const { return ok_ && next_ >= row_.size(); }

 private:
  [[nodiscard]] bool more() const { return ok_ && next_ < row_.size(); }

  std::int64_t whole(std::int64_t fallback, std::int64_t least, std::int64_t most) {
    if (!more()) return fallback;
    const std::optional<std::int64_t> number = whole_number_of(row_[next_++]);
    ok_ = ok_ && number && *number >= least && *number <= most;
    return ok_ ? *number : fallback;
  }

  const Json& row_;
  std::size_t next_;
  bool ok_;
};

template <class T>
bool read_row(const Json& row, T& value, std::size_t begin = 0) {
  RowReader reader(row, begin);
  spec::fields(reader, value);
  return reader.ok();
}

template <std::size_t I = 0, class Variant>
bool read_alternative(const Json& row, std::size_t index, Variant& variant) {
  if constexpr (I < std::variant_size_v<Variant>) {
    if (index != I) return read_alternative<I + 1>(row, index, variant);
    return read_row(row, variant.template emplace<I>(), 1);
  } else {
    return false;
  }
}

template <class Variant, class Names>
bool read_named(const Json& row, const Names& names, Variant& variant) {
  if (!row.is_array() || row.empty() || !row[0].is_string()) return false;
  const auto found = std::find(names.begin(), names.end(), row[0].get_ref<const std::string&>());
  return read_alternative(row, static_cast<std::size_t>(found - names.begin()), variant);
}

/// Sizes that engines divide by.
bool is_sound(const LayerSpec& layer) {
  const FullAttention* heads = grouped_attention(layer.mixer);
  return heads == nullptr || (heads->n_heads > 0 && heads->n_kv_heads > 0 && heads->head_dim_k > 0 && heads->head_dim_v > 0);
}

bool read_kind(const Json& kind, LayerSpec& layer) {
  if (!kind.is_array() || kind.size() < 2) return false;
  if (!read_named(kind[0], spec::kMixers, layer.mixer) || !read_named(kind[1], spec::kFfns, layer.ffn)) return false;
  for (std::size_t i = 2; i < kind.size(); ++i) {
    layer.shares_cache = layer.shares_cache || kind[i] == "shares_cache";
    if (kind[i].is_array() && !read_row(kind[i], layer.beside.emplace())) return false;
  }
  return is_sound(layer);
}

bool read_runs(const Json& runs, const std::vector<LayerSpec>& kinds, LayerList& layers) {
  if (!runs.is_array() || runs.size() % 2 != 0) return false;
  for (std::size_t i = 0; i < runs.size(); i += 2) {
    const std::optional<std::int64_t> kind = whole_number_of(runs[i]);
    const std::optional<std::int64_t> count = whole_number_of(runs[i + 1]);
    if (!kind || *kind < 0 || static_cast<std::size_t>(*kind) >= kinds.size() || !count || *count < 1 || *count > kMostLayers) return false;
    layers.append(static_cast<std::size_t>(*count), kinds[static_cast<std::size_t>(*kind)]);
  }
  return layers.size() <= static_cast<std::size_t>(kMostLayers);
}

/// Within the model's layers, and of a size that can be.
bool is_sound(const Tensor& t, const Model& model) {
  const bool outside = t.layers.first == -1 && t.layers.count == 1;
  const std::int64_t most = t.part == ModelPart::tower || t.part == ModelPart::speech
                                ? kMostLayers
                                : model.n_layers() + static_cast<std::int64_t>(model.mtp_layers.size());
  const bool inside = t.layers.first >= 0 && t.layers.count > 0 && t.layers.stride > 0 && t.layers.count <= most && t.layers.stride <= most &&
                      t.layers.at(t.layers.count - 1) < most;
  const double elements = static_cast<double>(t.rows) * static_cast<double>(t.cols) * static_cast<double>(t.per_layer) *
                          static_cast<double>(t.layers.count);
  return (outside || inside) && t.rows > 0 && t.cols > 0 && t.per_layer > 0 && t.shards > 0 && t.shards <= t.rows && t.recipe >= 0 &&
         static_cast<std::size_t>(t.recipe) <= model.recipes.size() && elements < static_cast<double>(kMostExact);
}

bool read_tensors(const Json& rows, const Model& model, std::vector<Tensor>& tensors) {
  if (!rows.is_array() || rows.size() > kMostTensors) return false;
  const std::vector<std::string>& names = *model.names.texts;
  for (const Json& row : rows) {
    const std::optional<std::int64_t> name = row.is_array() && !row.empty() ? whole_number_of(row[0]) : std::nullopt;
    if (!name || *name < 0 || static_cast<std::size_t>(*name) >= names.size()) return false;
    Tensor& tensor = tensors.emplace_back();
    if (!read_row(row, tensor, 1) || !is_sound(tensor, model)) return false;
    const std::string_view text = names[static_cast<std::size_t>(*name)];
    const std::size_t space = std::min(text.find(' '), text.size());
    tensor.name = text.substr(0, space);
    tensor.gguf = text.substr(std::min(space + 1, text.size()));
  }
  return true;
}

bool is_sound(const Model& model) {
  const auto in_range = [](std::int64_t value) { return value >= 0 && value <= (std::int64_t{1} << 30); };
  const bool vision = !model.vision || (model.vision->patch_size > 0 && model.vision->tokens_per_image > 0 && in_range(model.vision->image_size));
  const auto divides = [&](const WeightsLayout& l) {
    using Q = WeightQuantization;
    const bool is_packed = l.quantization == Q::packed_int || l.quantization == Q::gptq || l.quantization == Q::awq ||
                           l.quantization == Q::mlx_affine || l.quantization == Q::mlc;
    const bool has_bits = !is_packed || (l.bits >= 2 && l.bits <= 8);
    const bool has_rows = l.quantization != Q::fp8_block || (l.block_rows > 0 && l.block_cols > 0);
    return has_bits && has_rows && in_range(l.block_cols) && in_range(l.block_rows) && l.bits_x1000 >= 0 && l.bits_x1000 <= 16000;
  };
  return !model.layers.empty() && in_range(model.hidden_size) && in_range(model.vocab_size) && in_range(model.max_context_tokens) &&
         in_range(model.rotary_dim) && vision && std::all_of(model.recipes.begin(), model.recipes.end(), divides);
}

const Json& at(const Json& spec, const char* key) {
  static const Json none = Json::array();
  const auto found = spec.find(key);
  return found == spec.end() ? none : *found;
}

/// False for what write_spec() does not write.
bool read_into(const Json& spec, Model& model) {
  if (!spec.is_object() || !at(spec, "architecture").is_string() || !read_row(at(spec, "of"), model)) return false;
  model.architecture = spec["architecture"].get<std::string>();
  std::vector<LayerSpec> kinds;
  for (const Json& kind : at(spec, "kinds"))
    if (!read_kind(kind, kinds.emplace_back())) return false;
  if (!read_runs(at(spec, "layers"), kinds, model.layers) || !read_runs(at(spec, "mtp_layers"), kinds, model.mtp_layers)) return false;
  if (spec.contains("vision") && !read_row(at(spec, "vision"), model.vision.emplace())) return false;
  for (const Json& recipe : at(spec, "recipes"))
    if (!read_row(recipe, model.recipes.emplace_back())) return false;
  if (!is_sound(model) || !read_tensors(at(spec, "tensors"), model, model.plain)) return false;
  if (!spec.contains("stored")) {
    model.tensors = stored_tensors(model);
    return true;
  }
  return read_tensors(at(spec, "stored"), model, model.tensors);
}

}  // namespace

Result<Model> read_spec(const Json& spec, const std::string& where, const NameTable& names) {
  Model model;
  model.names = names;
  if (!read_into(spec, model))
    return fail(notice::wrong_type(where, "spec", excerpt(spec), "the spec that read_config or a file reader of this version answered"));
  return Result<Model>(std::move(model));
}

Result<Model> read_spec_alone(const Json& spec, const std::string& where) {
  const Result<NameTable> names = read_names(spec.is_object() ? spec.value("names", Json()) : Json(), where + ".names");
  if (!names) return fail(names.error());
  return read_spec(spec, where, *names);
}

Result<NameTable> read_names(const Json& names, const std::string& where) {
  auto texts = std::make_shared<std::vector<std::string>>();
  const auto is_text = [](const Json& name) { return name.is_string(); };
  if (!names.is_array() || !std::all_of(names.begin(), names.end(), is_text))
    return fail(notice::wrong_type(where, "names", excerpt(names), "the names of a spec's tensors"));
  for (const Json& name : names) texts->push_back(name.get<std::string>());
  return NameTable{std::move(texts)};
}

}  // namespace weighbridge
