// SPDX-License-Identifier: Apache-2.0
// Which tensors a checkpoint's quantization_config means. Its methods: quantization_plan.cpp.
#include <algorithm>
#include <array>

#include "json_text.hpp"
#include "quantize.hpp"
#include "read/decoder.hpp"
#include "read/quantization_plan.hpp"
#include "read/tensor_list.hpp"

namespace weighbridge {

namespace {

/// The keys that hold it. MLX writes `quantization`, and may leave that of the model it converted; modelopt a file of its own
/// (hf_quant_config.json).
constexpr std::array<std::string_view, 4> kKeys{"quantization", "quantization_config", "compression_config", "hf_quant_config"};
/// The parts of a config of several models that hold a language model's keys.
constexpr std::array<std::string_view, 3> kTextConfigs{"text_config", "llm_config", "language_config"};

/// The recipe of each layer's tensor of a row; 0 = none.
std::vector<std::int64_t> recipes_of(const QuantizationPlan& plan, const Model& model, const Tensor& tensor) {
  const auto count = static_cast<std::size_t>(tensor.layers.count);
  std::vector<std::int64_t> recipes(count, 0);
  if (tensor.cols <= 1 || tensor.is_copy) return recipes;
  std::vector<char> ignored(count, 0);
  plan.ignored.mark(tensor, model.n_layers(), ignored);
  std::vector<char> named(count, 0);
  for (std::size_t g = 0; g < plan.groups.size(); ++g) {
    const QuantizationGroup& group = plan.groups[g];
    const bool usual = takes(model, tensor, group.layout);
    std::fill(named.begin(), named.end(), 0);
    if (!group.all_usual) group.targets.mark(tensor, model.n_layers(), named);
    for (std::size_t i = 0; i < count; ++i) {
      const bool belongs = group.all_usual ? usual : (named[i] && (usual || !group.usual_only));
      if (belongs && recipes[i] == 0 && !(ignored[i] && group.heeds_ignored)) recipes[i] = static_cast<std::int64_t>(g) + 1;
    }
  }
  return recipes;
}

/// Appends a row as one row for each recipe that its layers take.
void append_by_recipe(std::vector<Tensor>& rows, Tensor tensor, const std::vector<std::int64_t>& recipes) {
  if (std::all_of(recipes.begin(), recipes.end(), [&](std::int64_t r) { return r == recipes.front(); })) {
    tensor.recipe = recipes.front();
    rows.push_back(tensor);
    return;
  }
  const LayerSet all = tensor.layers;
  for (std::int64_t recipe = 0; recipe <= *std::max_element(recipes.begin(), recipes.end()); ++recipe) {
    std::vector<std::int64_t> layers;
    for (std::size_t i = 0; i < recipes.size(); ++i)
      if (recipes[i] == recipe) layers.push_back(all.at(static_cast<std::int64_t>(i)));
    tensor.recipe = recipe;
    for (const LayerSet& set : layer_sets(layers)) {
      tensor.layers = set;
      rows.push_back(tensor);
    }
  }
}

void assign(const QuantizationPlan& plan, Model& model) {
  for (const QuantizationGroup& group : plan.groups) model.recipes.push_back(group.layout);
  // mlx_lm's converters leave the multi-token-prediction layers out (sanitize() of its models).
  if (!plan.groups.empty() && plan.groups.back().layout.whole_model) {
    model.mtp_layers.clear();
    model.plain.erase(std::remove_if(model.plain.begin(), model.plain.end(), [](const Tensor& t) { return t.part == ModelPart::mtp; }),
                      model.plain.end());
  }
  std::vector<Tensor> rows;
  rows.reserve(model.plain.size());
  for (std::size_t begin = 0; begin < model.plain.size();) {
    // Parts of a fused matrix stay together, layers by layers.
    const std::size_t first_row = rows.size();
    std::size_t end = begin;
    while (end < model.plain.size() && model.plain[end].name == model.plain[begin].name && model.plain[end].layers == model.plain[begin].layers) {
      append_by_recipe(rows, model.plain[end], recipes_of(plan, model, model.plain[end]));
      ++end;
    }
    if (end - begin > 1)
      std::stable_sort(rows.begin() + static_cast<std::ptrdiff_t>(first_row), rows.end(),
                       [](const Tensor& a, const Tensor& b) { return a.layers.first < b.layers.first; });
    begin = end;
  }
  model.plain = std::move(rows);
}

/// The FP8 cache that a config asks for: a scheme of 8 bits, or the word; modelopt's may stand in `outer`, around `inner`, and the first that is
/// given decides. vLLM's vllm/utils/torch_utils.py get_kv_cache_quant_algo_string, and compressed_tensors.py of its quantization layers.
StatedCache stated_cache_of(KeyReader& outer, const KeyReader& inner) {
  const std::string method = lower_case(outer.text_if_given("quant_method").value_or("modelopt"));
  const bool is_modelopt = method.starts_with("modelopt");
  if (!is_modelopt && method != "compressed-tensors") return StatedCache::none;
  const auto states_fp8 = [&](const Json& said) {
    if (said.is_string()) return is_modelopt && lower_case(said.get<std::string>()) == "fp8";
    const bool is_fixed = !is_modelopt || said.value("dynamic", Json()) == false;
    return is_fixed && said.value("num_bits", Json()) == 8 && said.value("type", Json()) == "float";
  };
  for (const char* key : {"kv_cache_scheme", "kv_cache_quant_algo"})
    for (const Json* place : {&inner.json(), &outer.json()}) {
      const auto said = place->find(key);
      if (said == place->end() || !(said->is_string() || said->is_object())) continue;
      if (!states_fp8(*said)) return StatedCache::none;
      return is_modelopt ? StatedCache::fp8_by_modelopt : StatedCache::fp8_by_compressed_tensors;
    }
  return StatedCache::none;
}

/// Whether `holder` has a quantization_config; if so it has been read.
bool read_from(KeyReader& holder, const KeyReader& config, Model& model) {
  for (const std::string_view key : kKeys) {
    if (!holder.has(key)) continue;
    const Json& value = *holder.json().find(key);
    if (!value.is_object() && key == "quantization") continue;  // others' word for something else
    if (!value.is_object()) {
      holder.fail(notice::wrong_type(holder.path(key), std::string(key), excerpt(value), "an object"));
      return true;
    }
    KeyReader outer = holder.under(key);
    const bool is_nested = outer.has("quantization") && outer.json().find("quantization")->is_object();
    KeyReader quantization = is_nested ? outer.under("quantization") : outer;
    const Json expert_type = config.json().value("expert_dtype", Json());
    const QuantizationPlan plan = read_plan(quantization, model.base, model.architecture,
                                            expert_type.is_string() ? expert_type.get<std::string>() : std::string());
    holder.adopt(quantization);
    if (holder.error()) return true;
    assign(plan, model);
    model.stated_cache = stated_cache_of(outer, quantization);
    return true;
  }
  return false;
}

}  // namespace

void read_quantization(KeyReader& config, Model& model) {
  if (read_from(config, config, model)) return;
  for (const std::string_view key : kTextConfigs) {
    if (!config.has(key) || !config.json().find(key)->is_object()) continue;
    KeyReader inner = config.under(key);
    const bool found = read_from(inner, config, model);
    config.adopt(inner);
    if (found) return;
  }
}

}  // namespace weighbridge
