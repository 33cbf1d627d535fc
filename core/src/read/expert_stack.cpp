// SPDX-License-Identifier: Apache-2.0
#include "read/expert_stack.hpp"

#include <algorithm>

#include "json_text.hpp"

namespace weighbridge {

namespace {

bool is_null(KeyReader& config, std::string_view key) {
  const auto found = config.json().find(key);
  return found != config.json().end() && found->is_null();
}

MoeFfn read_moe(KeyReader& config, const ExpertKeys& keys) {
  MoeFfn moe;
  if (is_null(config, keys.experts)) return moe;
  moe.n_experts = config.positive(keys.experts, config_limit::experts);
  moe.n_experts_used = config.positive(keys.used, config_limit::experts);
  moe.moe_ffn_size = config.positive(keys.width, config_limit::moe_ffn);
  const std::int64_t n_shared = config.json().contains(keys.shared) ? config.count_or_zero(keys.shared, 64) : keys.n_shared;
  moe.shared_ffn_size = n_shared * moe.moe_ffn_size;
  moe.router_bias = keys.router_bias;
  read_expert_choice(config, moe, keys.normalizes_weights, keys.scales_weights, keys.scale);
  if (!config.error() && moe.n_experts_used > moe.n_experts)
    config.fail(notice::out_of_range(config.path(keys.used), std::string(keys.used), grouped(moe.n_experts_used),
                                     "at most " + std::string(keys.experts) + ", " + grouped(moe.n_experts)));
  return moe;
}

/// `mlp_layer_types`: "dense" or "sparse" for each layer.
LayerFlags layers_by_name(KeyReader& config, const Json& names) {
  LayerFlags flags;
  for (const Json& name : names) {
    if (name != "dense" && name != "sparse") {
      config.fail(notice::unknown("unsupported", config.path("mlp_layer_types"), "mlp_layer_types", excerpt(name), "\"dense\" or \"sparse\""));
      return flags;
    }
    flags.push_back(name == "sparse" ? 1 : 0);
  }
  return flags;
}

LayerFlags layers_by_number(KeyReader& config, const Json& numbers) {
  LayerFlags flags;
  for (const Json& number : numbers) {
    if (!number.is_number() && !number.is_boolean()) {
      config.fail(notice::wrong_type(config.path("moe_layer_freq"), "moe_layer_freq", excerpt(number), "0 or 1 for each layer"));
      return flags;
    }
    flags.push_back(number == 0 || number == false ? 0 : 1);
  }
  return flags;
}

LayerFlags read_layers(KeyReader& config, std::int64_t n_layers, const ExpertKeys& keys) {
  if (const Json* names = list_per_layer(config, "mlp_layer_types", n_layers)) return layers_by_name(config, *names);
  if (config.has("moe_layer_freq") && config.json().find("moe_layer_freq")->is_array()) {
    const Json* numbers = list_per_layer(config, "moe_layer_freq", n_layers);
    return numbers != nullptr ? layers_by_number(config, *numbers) : LayerFlags{};
  }
  const std::int64_t n_dense =
      config.whole_number_if_given("first_k_dense_replace", 0, config_limit::layers).value_or(std::min(keys.n_dense, n_layers));
  const std::int64_t period = config.positive_or("moe_layer_freq", config_limit::layers, 1, "");
  if (config.error()) return {};
  if (n_dense > n_layers)
    config.fail(notice::out_of_range(config.path("first_k_dense_replace"), "first_k_dense_replace", grouped(n_dense),
                                     "at most " + std::string(keys.layers) + ", " + grouped(n_layers)));
  LayerFlags flags;
  for (std::int64_t layer = 0; layer < n_layers; ++layer) flags.push_back(layer >= n_dense && layer % period == 0 ? 1 : 0);
  return flags;
}

}  // namespace

void read_expert_choice(KeyReader& config, MoeFfn& moe, bool normalizes_weights, bool scales_weights, std::string_view scale) {
  moe.n_groups = std::max<std::int64_t>(config.count_or_zero("n_group", config_limit::experts), 1);
  moe.n_groups_used = std::max<std::int64_t>(config.count_or_zero("topk_group", config_limit::experts), 1);
  moe.normalizes_weights = config.flag_or("norm_topk_prob", normalizes_weights);
  const auto factor = config.json().find(scale);
  const bool is_given = factor != config.json().end() && factor->is_number();
  moe.scales_weights = is_given ? *factor != 1.0 : scales_weights;
}

const Json* list_per_layer(KeyReader& config, std::string_view key, std::int64_t n_layers) {
  if (config.error() || !config.has(key)) return nullptr;
  const Json& list = *config.json().find(key);
  if (list.is_array() && static_cast<std::int64_t>(list.size()) == n_layers) return &list;
  config.fail(
      notice::wrong_type(config.path(key), std::string(key), excerpt(list), "a list with one entry for each of " + grouped(n_layers) + " layers"));
  return nullptr;
}

ExpertStack read_expert_stack(KeyReader& config, const ExpertKeys& keys) {
  ExpertStack stack;
  stack.n_layers = config.positive(keys.layers, config_limit::layers);
  stack.moe = read_moe(config, keys);
  stack.n_mtp = config.count_or_zero(keys.n_mtp, 64);
  if (config.error()) return stack;
  stack.has_experts = stack.moe.n_experts > 0 ? read_layers(config, stack.n_layers, keys) : LayerFlags(static_cast<std::size_t>(stack.n_layers), 0);
  if (std::find(stack.has_experts.begin(), stack.has_experts.end(), 0) != stack.has_experts.end())
    stack.dense.ffn_size = config.positive(keys.dense_width, config_limit::ffn);
  return stack;
}

}  // namespace weighbridge
