// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "json_text.hpp"
#include "quantize.hpp"
#include "read/decoder.hpp"
#include "read/families/families.hpp"
#include "weighbridge/read.hpp"

namespace weighbridge {

namespace {

struct Family {
  std::string_view model_type;
  FamilyReader read;
};

/// A new family is a file with its reader, and a row here.
constexpr std::array kFamilies{
    Family{"bailing_hybrid", read_bailing_hybrid},
    Family{"bailing_moe", read_bailing_moe},
    Family{"bailing_moe_linear", read_bailing_moe_v2},
    Family{"bailing_moe_v2", read_bailing_moe_v2},
    Family{"chatglm", read_chatglm},
    Family{"deepseek", read_deepseek},
    Family{"deepseek_ref", read_deepseek_v4},
    Family{"deepseek_v2", read_deepseek_v2},
    Family{"deepseek_v3", read_deepseek_v3},
    Family{"deepseek_v32", read_deepseek_v32},
    Family{"deepseek_v4", read_deepseek_v4},
    Family{"dots1", read_dots1},
    Family{"gemma2", read_gemma2},
    Family{"gemma3", read_gemma3},
    Family{"gemma3_text", read_gemma3_text},
    Family{"generic_dense", read_generic_dense},
    Family{"glm", read_glm},
    Family{"glm4", read_glm4},
    Family{"glm4_moe", read_glm4_moe},
    Family{"glm4_moe_lite", read_glm4_moe_lite},
    Family{"glm4v", read_glm4v},
    Family{"glm4v_moe", read_glm4v_moe},
    Family{"glm5_next", read_glm5_next},
    Family{"glm5_next_text", read_glm5_next_text},
    Family{"glm_moe_dsa", read_glm_moe_dsa},
    Family{"gpt_oss", read_gpt_oss},
    Family{"kimi_k2", read_deepseek_v3},
    Family{"kimi_k25", read_kimi_k25},
    Family{"kimi_k3", read_kimi_k3},
    Family{"kimi_linear", read_kimi_linear},
    Family{"kimi_vl", read_kimi_vl},
    Family{"llama", read_llama},
    Family{"longcat_flash", read_longcat_flash},
    Family{"mimo", read_mimo},
    Family{"mimo_v2", read_mimo_v2},
    Family{"mimo_v2_flash", read_mimo_v2},
    Family{"minimax", read_minimax_m1},
    Family{"minimax_m1", read_minimax_m1},
    Family{"minimax_m2", read_minimax_m2},
    Family{"minimax_m3", read_minimax_m3},
    Family{"minimax_m3_vl", read_minimax_m3_vl},
    Family{"minimax_m3_vl_text", read_minimax_m3},
    Family{"minimax_text_01", read_minimax_m1},
    Family{"mistral", read_mistral},
    Family{"mixtral", read_mixtral},
    Family{"phi3", read_phi3},
    Family{"qwen2", read_qwen2},
    Family{"qwen3", read_qwen3},
    Family{"qwen3_moe", read_qwen3_moe},
    Family{"step3p5", read_step3p5},
    Family{"step3p7", read_step3p7},
};

std::string known_families() {
  std::string names;
  for (const Family& family : kFamilies) names += (names.empty() ? "" : ", ") + std::string(family.model_type);
  return "one of " + names;
}

/// What no config.json says of the stored tensors, under a key of our own; the catalogue gives it where the published count tells.
void read_checkpoint_notes(KeyReader& config, Draft& draft) {
  if (!config.has("weighbridge")) return;
  if (!config.json().find("weighbridge")->is_object()) {
    config.fail(notice::wrong_type(config.path("weighbridge"), "weighbridge", excerpt(*config.json().find("weighbridge")), "an object"));
    return;
  }
  KeyReader notes = config.under("weighbridge");
  draft.stores_tied_head = notes.flag_or("stores_tied_head", false);
  draft.mtp_stores_embeddings = notes.flag_or("mtp_stores_embeddings", true);
  draft.rotary_values = notes.count_or_zero("stored_rotary_values", config_limit::head_dim);
  draft.scales_counted = notes.flag_or("scales_counted", true);
  config.adopt(notes);
}

/// More elements than any storage holds: the keys pass one by one, but not together.
constexpr double kMaxElements = 9007199254740992.0;  // 2^53, also the last whole number JSON carries exactly

bool is_plausible(const std::vector<Tensor>& tensors) {
  double elements = 0;
  for (const Tensor& t : tensors) elements += static_cast<double>(t.copies()) * static_cast<double>(t.rows) * static_cast<double>(t.cols);
  return elements < kMaxElements;
}

}  // namespace

Result<Model> read_config(const Json& json, std::string_view where, Notices& warnings) {
  const std::string path(where);
  if (!json.is_object()) return fail(notice::wrong_type(path, "config", excerpt(json), "the object of a config.json"));
  const auto type = json.find("model_type");
  if (type == json.end()) return fail(notice::missing_key(path + ".model_type", "model_type", known_families()));
  if (!type->is_string()) return fail(notice::wrong_type(path + ".model_type", "model_type", excerpt(*type), known_families()));

  const auto& name = type->get_ref<const std::string&>();
  for (const Family& family : kFamilies) {
    if (family.model_type != name) continue;
    KeyReader config(json, where, warnings);
    const DType base = read_base_type(config);
    Draft draft{{}, TensorList(base)};
    Model& model = draft.model;
    model.architecture = name;
    model.base = base;
    read_checkpoint_notes(config, draft);
    family.read(config, draft);
    if (config.error()) return fail(*config.error());
    std::move(draft.tensors).finish(model);
    read_quantization(config, model);
    if (config.error()) return fail(*config.error());
    model.tensors = stored_tensors(model);
    if (!draft.scales_counted)
      for (Tensor& tensor : model.tensors) tensor.is_uncounted |= tensor.is_scale;
    if (!is_plausible(model.tensors))
      return fail(notice::custom("too_large", path, "These sizes together make more than 9 x 10^15 parameters: expected those of a real model.",
                                 "config", "", "the sizes of a real model"));
    return std::move(model);
  }
  return fail(notice::unknown("unknown_architecture", path + ".model_type", "architecture", excerpt(*type), known_families()));
}

}  // namespace weighbridge
