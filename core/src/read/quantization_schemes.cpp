// SPDX-License-Identifier: Apache-2.0
// compressed-tensors and modelopt, whose configs say of groups of modules what a quantized number is: neuralmagic/compressed-tensors
// src/compressed_tensors/quantization/quant_args.py, NVIDIA/TensorRT-Model-Optimizer modelopt/torch/export/quant_utils.py.
#include <algorithm>

#include "json_text.hpp"
#include "read/plan_builder.hpp"

namespace weighbridge {

namespace {

using Q = WeightQuantization;

constexpr std::int64_t kMicroscalingBlock = 32;  // OCP microscaling formats 1.0: elements that share a scale
constexpr std::int64_t kNvfp4Block = 16;         // elements that share an E4M3 scale
constexpr std::int64_t kFp8Block = 128;          // modelopt FP8_PB_WO, and blocks whose size the config does not say

class SchemeReader {
 public:
  explicit SchemeReader(PlanBuilder& builder) : b_(builder) {}

  void read_compressed() {
    check_sparsity();
    const std::string format = b_.config.text_if_given("format").value_or("");
    read_groups(format, false);
  }

  void check_sparsity() {
    if (!b_.config.has("sparsity_config") || !b_.config.json().find("sparsity_config")->is_object()) return;
    KeyReader sparsity = b_.config.under("sparsity_config");
    const std::string format = sparsity.text_if_given("format").value_or("dense");
    if (format != "dense") b_.config.fail(notice::unknown("unsupported", sparsity.path("format"), "sparse format", format, "dense"));
  }

  /// config_groups of compressed-tensors, and of modelopt, which writes them without a format.
  void read_groups(const std::string& format, bool modelopt) {
    if (!b_.config.has("config_groups") || !b_.config.json().find("config_groups")->is_object()) {
      const auto given = b_.config.json().find("config_groups");
      const std::string value = given != b_.config.json().end() ? excerpt(*given) : "none";
      return b_.config.fail(
          notice::wrong_type(b_.config.path("config_groups"), "config_groups", value, "an object of groups with weights and targets"));
    }
    KeyReader groups = b_.config.under("config_groups");
    for (const auto& item : groups.json().items()) {
      if (!item.value().is_object())
        return b_.config.fail(notice::wrong_type(groups.path(item.key()), item.key(), excerpt(item.value()), "an object with weights and targets"));
      KeyReader group = groups.under(item.key());
      read_one_group(group, group.text_if_given("format").value_or(format), modelopt);
      b_.config.adopt(group);
    }
  }

  void read_one_group(KeyReader& group, const std::string& format, bool modelopt) {
    const auto weights = group.json().find("weights");
    if (weights == group.json().end() || weights->is_null()) return;  // activations only
    if (!weights->is_object())
      return b_.config.fail(notice::wrong_type(group.path("weights"), "weights", excerpt(*weights), "an object with num_bits and type"));
    KeyReader scheme = group.under("weights");
    const auto inputs = group.json().find("input_activations");
    const bool has_inputs = inputs != group.json().end() && inputs->is_object();
    const bool static_inputs = has_inputs && inputs->value("dynamic", Json()) == Json(false);
    QuantizationGroup added{scheme_layout(scheme, format, has_inputs, static_inputs, modelopt), {}, true, false, true};
    b_.config.adopt(scheme);
    read_targets(group, added);
    b_.plan.groups.push_back(std::move(added));
  }

  /// "Linear" is a class: all that usually is quantized. Everything else names modules.
  void read_targets(const KeyReader& group, QuantizationGroup& added) {
    if (!group.has("targets")) return;
    const Json& targets = *group.json().find("targets");
    if (targets.is_array() && std::any_of(targets.begin(), targets.end(), [](const Json& t) { return t == "Linear"; })) return;
    added.all_usual = false;
    b_.read_list(group, "targets", added.targets);
  }

  WeightsLayout scheme_layout(KeyReader& scheme, const std::string& format, bool has_inputs, bool static_inputs, bool modelopt) {
    const std::int64_t bits = b_.read_bits(scheme, "num_bits");
    const std::string type = scheme.text_if_given("type").value_or("int");
    const std::string strategy = scheme.text_if_given("strategy").value_or(scheme.has("group_size") ? "group" : "tensor");
    const std::int64_t group = strategy == "channel" ? 0 : PlanBuilder::read_group(scheme, "group_size", 0);
    WeightsLayout layout = type == "float" ? float_layout(scheme, bits, group, strategy) : b_.layout_of(Q::packed_int, group);
    const bool plain_int8 = type == "int" && bits == 8 && (has_inputs || format == "int-quantized") && format != "pack-quantized";
    if (plain_int8) layout.quantization = Q::int8_per_channel;
    layout.bits = bits;
    layout.zero_points = !scheme.flag_or("symmetric", true);
    const auto order = scheme.json().find("actorder");
    layout.activation_order = order != scheme.json().end() && (*order == "group" || *order == Json(true));
    layout.input_scale = static_inputs || layout.quantization == Q::nvfp4;
    layout.counts_scalars = !modelopt;
    if (!modelopt && layout.quantization != Q::fp8_per_tensor) layout.scales = b_.base;
    return layout;
  }

  WeightsLayout float_layout(KeyReader& scheme, std::int64_t bits, std::int64_t group, const std::string& strategy) {
    if (bits == 4 && group == kMicroscalingBlock) return b_.layout_of(Q::mxfp4, group);
    if (bits == 4) return b_.layout_of(Q::nvfp4, group > 0 ? group : kNvfp4Block);
    if (bits != 8) {
      scheme.fail(notice::out_of_range(scheme.path("num_bits"), "num_bits", grouped(bits), "4 or 8 for floats"));
      return b_.layout_of(Q::none);
    }
    if (group == kMicroscalingBlock) return b_.layout_of(Q::mxfp8, group);
    if (strategy == "block") {
      WeightsLayout layout = b_.layout_of(Q::fp8_block);
      if (scheme.has("block_structure"))
        b_.read_block(scheme, "block_structure", layout);
      else
        layout.block_rows = layout.block_cols = kFp8Block;
      return layout;
    }
    return b_.layout_of(strategy == "channel" ? Q::fp8_per_channel : Q::fp8_per_tensor);
  }

  void read_algorithms() {
    const std::string algorithm = b_.config.text_if_given("quant_algo").value_or("");
    if (b_.config.has("quantized_layers")) return read_layers();
    if (b_.config.has("config_groups")) return read_groups("", true);
    const std::optional<WeightsLayout> layout = algorithm_layout(algorithm, PlanBuilder::read_group(b_.config, "group_size", 0));
    if (layout) return b_.add_usual(*layout);
    b_.refuse("quant_algo", "modelopt algorithm", algorithm, kAlgorithms);
  }

  static constexpr const char* kAlgorithms = "FP8, FP8_PER_CHANNEL_PER_TOKEN, FP8_PB_WO, MXFP8, NVFP4, W8A8_SQ_PER_CHANNEL or MIXED_PRECISION";

  std::optional<WeightsLayout> algorithm_layout(const std::string& algorithm, std::int64_t group) {
    WeightsLayout layout = b_.layout_of(Q::none);
    layout.input_scale = true;
    if (algorithm == "FP8") {
      layout.quantization = Q::fp8_per_tensor;
    } else if (algorithm == "FP8_PER_CHANNEL_PER_TOKEN") {
      return b_.layout_of(Q::fp8_per_channel);
    } else if (algorithm == "FP8_PB_WO") {
      layout = b_.layout_of(Q::fp8_block, kFp8Block);
      layout.block_rows = kFp8Block;
    } else if (algorithm == "MXFP8") {
      return b_.layout_of(Q::mxfp8, kMicroscalingBlock);
    } else if (is_any_of(algorithm, {"NVFP4", "NVFP4_AWQ", "W4A8_NVFP4_FP8", "W4A16_NVFP4"})) {
      layout.quantization = Q::nvfp4;
      layout.block_cols = group > 0 ? group : kNvfp4Block;
    } else if (is_any_of(algorithm, {"W8A8_SQ_PER_CHANNEL", "INT8_SQ"})) {
      return b_.layout_of(Q::int8_per_channel);
    } else {
      return std::nullopt;
    }
    return layout;
  }

  /// Every module by its name, with its own algorithm.
  void read_layers() {
    const Json& layers = *b_.config.json().find("quantized_layers");
    if (!layers.is_object())
      return b_.config.fail(notice::wrong_type(b_.config.path("quantized_layers"), "quantized_layers", excerpt(layers), "an object of module names"));
    const std::size_t first = b_.plan.groups.size();
    KeyReader modules = b_.config.under("quantized_layers");
    for (const auto& item : layers.items()) {
      if (!item.value().is_object())
        return b_.config.fail(notice::wrong_type(modules.path(item.key()), item.key(), excerpt(item.value()), "an object with quant_algo"));
      KeyReader module = modules.over(item.value(), item.key());
      const std::string algorithm = module.text_if_given("quant_algo").value_or("");
      const std::optional<WeightsLayout> layout = algorithm_layout(algorithm, PlanBuilder::read_group(module, "group_size", 0));
      b_.config.adopt(module);
      if (!layout) return b_.config.fail(notice::unknown("unsupported", module.path("quant_algo"), "modelopt algorithm", algorithm, kAlgorithms));
      auto group = std::find_if(b_.plan.groups.begin() + static_cast<std::ptrdiff_t>(first), b_.plan.groups.end(),
                                [&](const QuantizationGroup& g) { return g.layout == *layout; });
      if (group == b_.plan.groups.end()) group = b_.plan.groups.insert(group, {*layout, {}, false, false, true});
      b_.add_pattern(b_.config, "quantized_layers", item.key(), group->targets);
    }
  }

 private:
  PlanBuilder& b_;
};

}  // namespace

void read_compressed_tensors(PlanBuilder& builder) { SchemeReader(builder).read_compressed(); }
void read_modelopt(PlanBuilder& builder) { SchemeReader(builder).read_algorithms(); }
void read_quantized_layers(PlanBuilder& builder) { SchemeReader(builder).read_layers(); }

}  // namespace weighbridge
