// SPDX-License-Identifier: Apache-2.0
// The methods of a quantization_config, one function each. Keys and defaults: huggingface/transformers src/transformers/utils/
// quantization_config.py, ModelCloud/GPTQModel gptqmodel/quantization/config.py, ml-explore/mlx-lm mlx_lm/utils.py, turboderp-org/exllamav3.
#include "read/quantization_plan.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "json_text.hpp"
#include "quantize.hpp"
#include "read/plan_builder.hpp"

namespace weighbridge {

namespace {

using Q = WeightQuantization;

constexpr std::int64_t kMicroscalingBlock = 32;  // OCP microscaling formats 1.0: elements that share a scale

class PlanReader {
 public:
  PlanReader(KeyReader& config, DType base, std::string_view architecture, std::string_view expert_type)
      : b_{config, base}, architecture_(architecture), expert_type_(expert_type) {}

  QuantizationPlan read() && {
    read_ignored();
    const std::string method = find_method();
    if (b_.config.error()) return std::move(b_.plan);
    for (const Method& known : kMethods) {
      if (known.name != method) continue;
      (this->*known.read)();
      return std::move(b_.plan);
    }
    const auto given = b_.config.json().find("quant_method");
    b_.refuse("quant_method", "quantization method", given != b_.config.json().end() ? excerpt(*given) : excerpt(b_.config.json()), known_methods());
    return std::move(b_.plan);
  }

 private:
  struct Method {
    std::string_view name;
    void (PlanReader::*read)();
  };
  static const std::array<Method, 12> kMethods;

  static std::string known_methods() {
    std::string names;
    for (const Method& known : kMethods) names += std::string(known.name) + ", ";
    return "one of " + names + "or no quantization_config";
  }

  /// Configs of modelopt and MLX leave quant_method out.
  std::string find_method() {
    if (b_.config.has("quant_method")) return lower_case(b_.config.text_if_given("quant_method").value_or(""));
    if (b_.config.has("quant_algo") || b_.config.has("quantized_layers")) return "modelopt";
    if (b_.config.has("config_groups")) return "compressed-tensors";
    if (b_.config.has("load_in_4bit") || b_.config.has("load_in_8bit")) return "bitsandbytes";
    return b_.config.has("bits") && b_.config.has("group_size") ? "mlx" : "";
  }

  void read_ignored() {
    for (const std::string_view key : {"modules_to_not_convert", "ignore", "exclude_modules", "ignored_layers", "llm_int8_skip_modules"})
      b_.read_list(b_.config, key, b_.plan.ignored);
  }

  /// Scales are f32 but for DeepSeek-V4, whose `ue8m0` are stored as such (V3.1 and V3.2 say the word and store f32).
  WeightsLayout fp8_layout() {
    WeightsLayout layout = b_.layout_of(Q::fp8_per_tensor);
    if (b_.config.has("weight_block_size")) {
      layout.quantization = Q::fp8_block;
      b_.read_block(b_.config, "weight_block_size", layout);
      const bool by_exponent = architecture_.starts_with("deepseek_v4") && b_.config.text_if_given("scale_fmt").value_or("") == "ue8m0";
      if (by_exponent) layout.scales = dtype::e8m0;
    }
    layout.input_scale = b_.config.text_if_given("activation_scheme").value_or("") == "static";
    return layout;
  }

  void read_fp8() {
    if (b_.config.has("quantized_layers")) read_quantized_layers(b_);  // modelopt, on top of an FP8 checkpoint
    const std::string expert_type = b_.config.text_if_given("expert_dtype").value_or(std::string(expert_type_));
    if (expert_type == "fp4" || b_.config.text_if_given("store_dtype").value_or("") == "mxfp4") {  // DeepSeek-V4; MiMo-V2.6
      WeightsLayout experts = b_.layout_of(Q::mxfp4, kMicroscalingBlock);
      experts.experts_only = true;
      b_.add_usual(experts, false);
    }
    const WeightsLayout layout = fp8_layout();
    if (architecture_.starts_with("deepseek_v41")) {  // its n-gram tables, and projections that other models keep in 16 bits
      add_targets({"engram.embed"}, b_.layout_of(Q::mxfp8, kMicroscalingBlock));
      add_targets({"engram.wkv", "main_proj"}, layout);
    }
    ModulePatterns targets;
    b_.read_list(b_.config, "modules_to_convert", targets);
    // Qwen4-Exp's table of n-grams, with one scale (vllm-project/vllm vllm/models/qwen4_exp, Qwen4ExpPLEFp8EmbeddingMethod).
    if (!targets.empty()) b_.plan.groups.push_back({b_.layout_of(Q::fp8_per_tensor), std::move(targets), false, false, true});
    b_.add_usual(layout, !b_.config.has("quantized_layers"));
  }

  void read_fbgemm() { b_.add_usual(b_.layout_of(Q::fp8_per_channel)); }

  void read_mxfp4() {
    WeightsLayout layout = b_.layout_of(Q::mxfp4, kMicroscalingBlock);
    layout.experts_only = true;
    b_.add_usual(layout);
  }

  void read_bitsandbytes() {
    if (b_.config.flag_or("load_in_8bit", false)) return b_.add_usual(b_.layout_of(Q::bnb_int8));
    if (!b_.config.flag_or("load_in_4bit", false))
      return b_.refuse("load_in_4bit", "bitsandbytes scheme", excerpt(b_.config.json()), "load_in_4bit or load_in_8bit to be true");
    WeightsLayout layout = b_.layout_of(Q::bnb_4bit);
    layout.nested_scales = b_.config.flag_or("bnb_4bit_use_double_quant", false);
    b_.add_usual(layout);
  }

  /// Scales of GPTQ and AWQ have 16 bits.
  WeightsLayout words_layout(Q quantization, KeyReader& from, std::string_view bits, std::string_view group, const WeightsLayout* parent = nullptr) {
    WeightsLayout layout = parent != nullptr ? *parent : b_.layout_of(quantization);
    if (parent == nullptr || from.has(bits)) layout.bits = b_.read_bits(from, bits);
    layout.block_cols = PlanBuilder::read_group(from, group, parent != nullptr ? parent->block_cols : 128);
    layout.scales = b_.base == dtype::f32 ? dtype::f16 : b_.base;
    return layout;
  }

  void read_gptq() {
    WeightsLayout layout = words_layout(Q::gptq, b_.config, "bits", "group_size");
    layout.activation_order = b_.config.flag_or("desc_act", false);
    read_dynamic(layout);
    if (b_.config.flag_or("lm_head", false)) add_targets({"lm_head"}, layout);
    ModulePatterns only;
    if (b_.config.has("modules_in_block_to_quantize"))
      for (const Json& list : *b_.config.json().find("modules_in_block_to_quantize"))
        for (const Json& item : list.is_array() ? list : Json::array({list}))
          if (item.is_string()) b_.add_pattern(b_.config, "modules_in_block_to_quantize", item.get<std::string>(), only);
    const bool all = only.empty();
    b_.plan.groups.push_back({layout, std::move(only), all, true, true});
  }

  /// GPTQModel: regular expressions of modules that are left out ("-:") or have bits or groups of their own.
  void read_dynamic(const WeightsLayout& layout) {
    if (!b_.config.has("dynamic")) return;
    const Json& dynamic = *b_.config.json().find("dynamic");
    if (!dynamic.is_object())
      return b_.config.fail(notice::wrong_type(b_.config.path("dynamic"), "dynamic", excerpt(dynamic), "an object of module patterns"));
    KeyReader rules = b_.config.under("dynamic");
    for (const auto& item : dynamic.items()) {
      const std::string& key = item.key();
      const bool marked = key.starts_with("-:") || key.starts_with("+:");
      const std::string regex = marked ? key.substr(2) : key;
      if (key.starts_with("-:")) {
        b_.add_pattern(b_.config, "dynamic", regex, b_.plan.ignored, true);
      } else if (item.value().is_object() && !item.value().empty()) {
        KeyReader rule = rules.under(key);
        QuantizationGroup group{words_layout(Q::gptq, rule, "bits", "group_size", &layout), {}, false, true, true};
        b_.config.adopt(rule);
        b_.add_pattern(b_.config, "dynamic", regex, group.targets, true);
        b_.plan.groups.push_back(std::move(group));
      }
    }
  }

  void add_targets(std::initializer_list<std::string_view> names, const WeightsLayout& layout) {
    ModulePatterns targets;
    for (const std::string_view name : names) static_cast<void>(targets.add(name));
    b_.plan.groups.push_back({layout, std::move(targets), false, false, true});
  }

  void read_awq() {
    const std::string_view bits = b_.config.has("w_bit") ? "w_bit" : "bits";
    b_.add_usual(words_layout(Q::awq, b_.config, bits, b_.config.has("q_group_size") ? "q_group_size" : "group_size"));
  }

  /// Each module may have its own bits and group, or `false`. Matrices of experts are stacked under `switch_mlp`.
  void read_mlx() {
    const WeightsLayout layout = mlx_layout(b_.config, nullptr);
    for (const auto& item : b_.config.json().items()) {
      const bool is_false = item.value().is_boolean() && !item.value().get<bool>();
      if (!item.value().is_object() && !is_false) continue;
      std::string module = item.key();
      if (const std::size_t at = module.find("switch_mlp."); at != std::string::npos) module.replace(at, 11, "experts.0.");
      if (is_false) {
        b_.add_pattern(b_.config, item.key(), module, b_.plan.ignored);
        continue;
      }
      KeyReader own = b_.config.under(item.key());
      QuantizationGroup group{mlx_layout(own, &layout), {}, false, true, true};
      b_.config.adopt(own);
      b_.add_pattern(b_.config, item.key(), module, group.targets);
      b_.plan.groups.push_back(std::move(group));
    }
    b_.add_usual(layout);
  }

  WeightsLayout mlx_layout(KeyReader& from, const WeightsLayout* parent) {
    WeightsLayout layout = parent != nullptr ? *parent : b_.layout_of(Q::mlx_affine);
    const std::string mode = from.text_if_given("mode").value_or(parent != nullptr ? "" : "affine");
    if (mode == "mxfp4") layout.quantization = Q::mxfp4;
    if (mode == "mxfp8") layout.quantization = Q::mxfp8;
    if (mode == "nvfp4") layout.quantization = Q::nvfp4;
    if (mode == "affine") layout.quantization = Q::mlx_affine;
    if (!mode.empty() && !is_any_of(mode, {"affine", "mxfp4", "mxfp8", "nvfp4"}))
      b_.config.fail(notice::unknown("unsupported", from.path("mode"), "MLX mode", mode, "affine, mxfp4, mxfp8 or nvfp4"));
    if (parent == nullptr || from.has("bits")) layout.bits = b_.read_bits(from, "bits", true);
    layout.block_cols = std::max<std::int64_t>(1, PlanBuilder::read_group(from, "group_size", parent != nullptr ? parent->block_cols : 64));
    layout.scales = b_.base;
    layout.whole_model = true;
    return layout;
  }

  /// What ExLlama's mix of types comes to on average; the head has bits of its own.
  void read_exl2() { read_exl(Q::exl2); }
  void read_exl3() { read_exl(Q::exl3); }
  void read_exl(Q quantization) {
    const auto average = [&](std::string_view key, double fallback) {
      return static_cast<std::int64_t>(std::lround(1000 * b_.config.fraction(key, 16).value_or(fallback)));
    };
    if (!b_.config.has("bits")) return b_.config.fail(notice::missing_key(b_.config.path("bits"), "bits", "the average bits of a weight"));
    WeightsLayout layout = b_.layout_of(quantization);
    layout.bits_x1000 = average("head_bits", kExlHeadBits);
    add_targets({"lm_head"}, layout);
    layout.bits_x1000 = average("bits", 4);
    b_.add_usual(layout);
  }

  void read_compressed() { read_compressed_tensors(b_); }
  void read_algorithms() { read_modelopt(b_); }

  PlanBuilder b_;
  std::string_view architecture_;
  std::string_view expert_type_;
};

const std::array<PlanReader::Method, 12> PlanReader::kMethods{{
    {"awq", &PlanReader::read_awq},
    {"bitsandbytes", &PlanReader::read_bitsandbytes},
    {"compressed-tensors", &PlanReader::read_compressed},
    {"exl2", &PlanReader::read_exl2},
    {"exl3", &PlanReader::read_exl3},
    {"fbgemm_fp8", &PlanReader::read_fbgemm},
    {"fp8", &PlanReader::read_fp8},
    {"gptq", &PlanReader::read_gptq},
    {"mlx", &PlanReader::read_mlx},
    {"modelopt", &PlanReader::read_algorithms},
    {"modelopt_fp4", &PlanReader::read_algorithms},
    {"mxfp4", &PlanReader::read_mxfp4},
}};

}  // namespace

QuantizationPlan read_plan(KeyReader& quantization, DType base, std::string_view architecture, std::string_view expert_type) {
  return PlanReader(quantization, base, architecture, expert_type).read();
}

}  // namespace weighbridge
