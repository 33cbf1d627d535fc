// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "json_text.hpp"
#include "quantize.hpp"
#include "read/assumed_decoder.hpp"
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
    Family{"DeepseekOCR", read_deepseek_vl_v2},
    Family{"RefinedWeb", read_falcon},
    Family{"RefinedWebModel", read_falcon},
    Family{"Yi", read_llama},
    Family{"afmoe", read_afmoe},
    Family{"apertus", read_apertus},
    Family{"aquila", read_llama},
    Family{"arcee", read_arcee},
    Family{"aya_vision", read_aya_vision},
    Family{"baichuan", read_baichuan},
    Family{"bailing_hybrid", read_bailing_hybrid},
    Family{"bailing_moe", read_bailing_moe},
    Family{"bailing_moe_linear", read_bailing_moe_v2},
    Family{"bailing_moe_v2", read_bailing_moe_v2},
    Family{"bamba", read_bamba},
    Family{"bert", read_bert},
    Family{"bitnet", read_bitnet},
    Family{"bloom", read_bloom},
    Family{"camembert", read_roberta},
    Family{"chatglm", read_chatglm},
    Family{"code_llama", read_llama},
    Family{"codegen", read_codegen},
    Family{"cohere", read_cohere},
    Family{"cohere2", read_cohere2},
    Family{"cohere2_vision", read_cohere2_vision},
    Family{"cwm", read_cwm},
    Family{"dbrx", read_dbrx},
    Family{"deepseek", read_deepseek},
    Family{"deepseek_ref", read_deepseek_v4},
    Family{"deepseek_v2", read_deepseek_v2},
    Family{"deepseek_v3", read_deepseek_v3},
    Family{"deepseek_v32", read_deepseek_v32},
    Family{"deepseek_v4", read_deepseek_v4},
    Family{"deepseek_v41", read_deepseek_v41},
    Family{"deepseek_v41_text", read_deepseek_v41},
    Family{"deepseek_vl_v2", read_deepseek_vl_v2},
    Family{"distilbert", read_distilbert},
    Family{"dots1", read_dots1},
    Family{"dots_ocr", read_dots_ocr},
    Family{"ernie4_5", read_ernie4_5},
    Family{"ernie4_5_moe", read_ernie4_5_moe},
    Family{"ernie4_5_moe_vl", read_ernie4_5_vl_moe},
    Family{"ernie4_5_vl_moe", read_ernie4_5_vl_moe},
    Family{"exaone", read_exaone},
    Family{"exaone4", read_exaone4},
    Family{"exaone_moe", read_exaone_moe},
    Family{"falcon", read_falcon},
    Family{"falcon_h1", read_falcon_h1},
    Family{"falcon_mamba", read_mamba},
    Family{"gemma", read_gemma},
    Family{"gemma2", read_gemma2},
    Family{"gemma3", read_gemma3},
    Family{"gemma3_text", read_gemma3_text},
    Family{"gemma3n", read_gemma3n},
    Family{"gemma3n_text", read_gemma3n_text},
    Family{"gemma4", read_gemma4},
    Family{"gemma4_text", read_gemma4_text},
    Family{"gemma4_unified", read_gemma4_unified},
    Family{"gemma4_unified_text", read_gemma4_text},
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
    Family{"gpt-sw3", read_gpt2},
    Family{"gpt2", read_gpt2},
    Family{"gpt_bigcode", read_gpt_bigcode},
    Family{"gpt_neo", read_gpt_neo},
    Family{"gpt_neox", read_gpt_neox},
    Family{"gpt_oss", read_gpt_oss},
    Family{"gptj", read_gptj},
    Family{"granite", read_granite},
    Family{"granitemoe", read_granitemoe},
    Family{"granitemoehybrid", read_granitemoehybrid},
    Family{"granitemoeshared", read_granitemoeshared},
    Family{"granitevision", read_llava_next},
    Family{"gte", read_new_bert},
    Family{"helium", read_helium},
    Family{"hunyuan_v1_dense", read_hunyuan_v1_dense},
    Family{"hunyuan_v1_moe", read_hunyuan_v1_moe},
    Family{"hy_v3", read_hy_v3},
    Family{"hy_v4", read_hy_v4},
    Family{"hyperclovax", read_hyperclovax},
    Family{"idefics3", read_idefics3},
    Family{"internlm", read_internlm},
    Family{"internlm2", read_internlm2},
    Family{"internlm3", read_internlm3},
    Family{"internvl", read_internvl},
    Family{"internvl_chat", read_internvl_chat},
    Family{"jais2", read_jais2},
    Family{"jamba", read_jamba},
    Family{"k2_horizon", read_k2_horizon},
    Family{"kimi_k2", read_deepseek_v3},
    Family{"kimi_k25", read_kimi_k25},
    Family{"kimi_k3", read_kimi_k3},
    Family{"kimi_linear", read_kimi_linear},
    Family{"kimi_vl", read_kimi_vl},
    Family{"laguna", read_laguna},
    Family{"lfm2", read_lfm2},
    Family{"lfm2-vl", read_lfm2_vl},
    Family{"lfm2_moe", read_lfm2_moe},
    Family{"lfm2_vl", read_lfm2_vl},
    Family{"llama", read_llama},
    Family{"llama4", read_llama4},
    Family{"llama4_text", read_llama4_text},
    Family{"llama_bidirec", read_llama_bidirec},
    Family{"llava", read_llava},
    Family{"llava_next", read_llava_next},
    Family{"llava_onevision", read_llava_onevision},
    Family{"longcat_flash", read_longcat_flash},
    Family{"mamba", read_mamba},
    Family{"mamba2", read_mamba2},
    Family{"mellum", read_mellum},
    Family{"mimo", read_mimo},
    Family{"mimo_v2", read_mimo_v2},
    Family{"mimo_v2_flash", read_mimo_v2},
    Family{"minicpm", read_minicpm},
    Family{"minicpm3", read_minicpm3},
    Family{"minicpmo", read_minicpmv},
    Family{"minicpmv", read_minicpmv},
    Family{"minimax", read_minimax_m1},
    Family{"minimax_m1", read_minimax_m1},
    Family{"minimax_m2", read_minimax_m2},
    Family{"minimax_m3", read_minimax_m3},
    Family{"minimax_m3_vl", read_minimax_m3_vl},
    Family{"minimax_m3_vl_text", read_minimax_m3},
    Family{"minimax_text_01", read_minimax_m1},
    Family{"ministral", read_mistral},
    Family{"ministral3", read_ministral3},
    Family{"mistral", read_mistral},
    Family{"mistral3", read_mistral3},
    Family{"mistral4", read_mistral4},
    Family{"mixtral", read_mixtral},
    Family{"mllama", read_mllama},
    Family{"mllama_text_model", read_mllama_text},
    Family{"modernbert", read_modernbert},
    Family{"molmo", read_molmo},
    Family{"mpnet", read_mpnet},
    Family{"mpt", read_mpt},
    Family{"muse_glimmer", read_muse_glimmer},
    Family{"muse_glimmer_text", read_muse_glimmer_text},
    Family{"nanochat", read_nanochat},
    Family{"nemotron", read_nemotron},
    Family{"nemotron-nas", read_nemotron_nas},
    Family{"nemotron_h", read_nemotron_h},
    Family{"new", read_new_bert},
    Family{"nomic_bert", read_nomic_bert},
    Family{"olmo", read_olmo},
    Family{"olmo2", read_olmo2},
    Family{"olmo3", read_olmo3},
    Family{"olmoe", read_olmoe},
    Family{"opt", read_opt},
    Family{"orion", read_orion},
    Family{"paligemma", read_paligemma},
    Family{"persimmon", read_persimmon},
    Family{"phi", read_phi},
    Family{"phi-msft", read_phi_msft},
    Family{"phi3", read_phi3},
    Family{"phi3_v", read_phi3_v},
    Family{"phi3small", read_phi3small},
    Family{"phi4mm", read_phi4mm},
    Family{"phimoe", read_phimoe},
    Family{"qwen", read_qwen},
    Family{"qwen2", read_qwen2},
    Family{"qwen2_5_omni", read_qwen2_5_omni},
    Family{"qwen2_5_omni_thinker", read_qwen2_5_omni_thinker},
    Family{"qwen2_5_vl", read_qwen2_vl},
    Family{"qwen2_5_vl_text", read_qwen2},
    Family{"qwen2_audio", read_qwen2_audio},
    Family{"qwen2_moe", read_qwen2_moe},
    Family{"qwen2_vl", read_qwen2_vl},
    Family{"qwen2_vl_text", read_qwen2},
    Family{"qwen3", read_qwen3},
    Family{"qwen3_5", read_qwen3_5},
    Family{"qwen3_5_moe", read_qwen3_5},
    Family{"qwen3_5_moe_text", read_qwen3_5},
    Family{"qwen3_5_text", read_qwen3_5},
    Family{"qwen3_moe", read_qwen3_moe},
    Family{"qwen3_next", read_qwen3_next},
    Family{"qwen3_omni_moe", read_qwen3_omni_moe},
    Family{"qwen3_omni_moe_text", read_qwen3_moe},
    Family{"qwen3_vl", read_qwen3_vl},
    Family{"qwen3_vl_moe", read_qwen3_vl_moe},
    Family{"qwen3_vl_moe_text", read_qwen3_moe},
    Family{"qwen3_vl_text", read_qwen3},
    Family{"qwen4_exp", read_qwen4_exp},
    Family{"qwen4_exp_text", read_qwen4_exp},
    Family{"roberta", read_roberta},
    Family{"rwkv7", read_rwkv7},
    Family{"seed_oss", read_seed_oss},
    Family{"smollm3", read_smollm3},
    Family{"smolvlm", read_idefics3},
    Family{"solar", read_llama},
    Family{"solar_open", read_solar_open},
    Family{"stablelm", read_stablelm},
    Family{"starcoder2", read_starcoder2},
    Family{"step3p5", read_step3p5},
    Family{"step3p7", read_step3p7},
    Family{"step_robotics", read_step3_vl},
    Family{"vaultgemma", read_vaultgemma},
    Family{"voxtral", read_voxtral},
    Family{"xlm-roberta", read_roberta},
    Family{"xlm-roberta-flash", read_xlm_roberta_flash},
    Family{"xverse", read_xverse},
    Family{"zamba2", read_zamba2},
};

std::string known_families() {
  return "one of llama, qwen3, deepseek_v3, gemma3 and " + std::to_string(kFamilies.size() - 4) + " more in `catalogue`";
}

/// What no config.json says of the stored tensors, under a key of our own; the catalogue gives it where the published count tells.
void read_checkpoint_notes(KeyReader& config, Draft& draft) {
  if (!config.has("weighbridge")) return;
  if (!config.json().find("weighbridge")->is_object()) {
    config.fail(notice::wrong_type(config.path("weighbridge"), "weighbridge", excerpt(*config.json().find("weighbridge")), "an object"));
    return;
  }
  KeyReader notes = config.under("weighbridge");
  draft.stores_head = notes.flag_or("stores_head", true);
  draft.stores_tied_head = notes.flag_or("stores_tied_head", false);
  draft.mtp_stores_embeddings = notes.flag_or("mtp_stores_embeddings", true);
  draft.stores_buffers = notes.flag_or("stores_buffers", false);
  draft.rotary_values = notes.count_or_zero("stored_rotary_values", config_limit::head_dim);
  draft.scales_counted = notes.flag_or("scales_counted", true);
  draft.router_bias_counted = notes.flag_or("router_bias_counted", true);
  config.adopt(notes);
}

/// More elements than any storage holds: the keys pass one by one, but not together.
constexpr double kMaxElements = 9007199254740992.0;  // 2^53, also the last whole number JSON carries exactly

bool is_plausible(const std::vector<Tensor>& tensors) {
  double elements = 0;
  for (const Tensor& t : tensors) elements += static_cast<double>(t.copies()) * static_cast<double>(t.rows) * static_cast<double>(t.cols);
  return elements < kMaxElements;
}

/// A class's name as those of families are written: "Qwen2_5_VLForConditionalGeneration" is "qwen25vl", and so is "qwen2_5_vl".
std::string bare_name(std::string_view name) {
  for (const std::string_view ending : {"For", "LMHead", "Model"}) name = name.substr(0, name.find(ending));
  std::string bare;
  for (const char c : lower_case(name))
    if (c != '_' && c != '-') bare += c;
  return bare;
}

/// The family of the class in `architectures`, which engines go by; null if it is none that we know.
const Family* family_of_class(const KeyReader& config) {
  const std::string wanted = bare_name(read_architecture(config));
  const auto* family = std::find_if(kFamilies.begin(), kFamilies.end(), [&](const Family& f) { return bare_name(f.model_type) == wanted; });
  return wanted.empty() || family == kFamilies.end() ? nullptr : family;
}

void read_as_class(KeyReader& config, Draft& draft, const Family& family) {
  draft.model.architecture = family.model_type;
  const std::string reason = "the class in `architectures` is its";
  config.warn(notice::custom("assumed_default", config.path("model_type"),
                             "The architecture was taken to be `" + draft.model.architecture + "` (" + reason + ").", "model_type",
                             draft.model.architecture, reason));
  family.read(config, draft);
}

bool read_layers(KeyReader& config, Draft& draft);

/// An architecture that is not known by its name: its language model may be, or look like a plain decoder. False if nothing can be counted.
bool read_unknown(KeyReader& config, Draft& draft) {
  const char* const key = language_key(config.json());
  if (key == nullptr) {
    if (!describes_decoder(config.json())) return false;
    read_assumed_decoder(config, draft);
    return true;
  }
  KeyReader language = config.under(key);
  const std::string outer = draft.model.architecture;
  draft.model.architecture = language.text_if_given("model_type").value_or("");
  if (!read_layers(language, draft)) return false;
  if (find_family(draft.model.architecture) == nullptr) draft.model.architecture = outer;
  config.adopt(language);
  config.warn(notice::custom("not_counted", config.path("model_type"),
                             "We do not know the architecture `" + outer + "`: only the language model in `" + key +
                                 "` was counted. What encodes images or sound is missing.",
                             "model_type", outer, "an architecture that we know"));
  return true;
}

bool read_layers(KeyReader& config, Draft& draft) {
  if (const FamilyReader family = find_family(draft.model.architecture)) {
    family(config, draft);
    return true;
  }
  const Family* family = family_of_class(config);
  if (family == nullptr) return read_unknown(config, draft);
  read_as_class(config, draft, *family);
  return true;
}

}  // namespace

FamilyReader find_family(std::string_view model_type) {
  for (const Family& family : kFamilies)
    if (family.model_type == model_type) return family.read;
  return nullptr;
}

std::vector<std::string_view> known_architectures() {
  std::vector<std::string_view> names;
  for (const Family& family : kFamilies) names.push_back(family.model_type);
  return names;
}

Result<Model> read_config(const Json& json, std::string_view where, Notices& warnings) {
  const std::string path(where);
  if (!json.is_object()) return fail(notice::wrong_type(path, "config", excerpt(json), "the object of a config.json"));
  KeyReader config(json, where, warnings);
  const Json type = json.value("model_type", Json());
  if (type.is_null() && family_of_class(config) == nullptr) return fail(notice::missing_key(path + ".model_type", "model_type", known_families()));
  if (!type.is_null() && !type.is_string()) return fail(notice::wrong_type(path + ".model_type", "model_type", excerpt(type), known_families()));

  const DType base = read_base_type(config);
  Draft draft{{}, TensorList(base)};
  Model& model = draft.model;
  if (type.is_string()) model.architecture = type.get<std::string>();
  model.base = base;
  read_checkpoint_notes(config, draft);
  if (!read_layers(config, draft))
    return fail(notice::unknown("unknown_architecture", path + ".model_type", "architecture", excerpt(type), known_families()));
  if (config.error()) return fail(*config.error());
  std::move(draft.tensors).finish(model);
  read_quantization(config, model);
  if (config.error()) return fail(*config.error());
  for (WeightsLayout& recipe : model.recipes) recipe.counts_scales = draft.scales_counted;
  for (Tensor& tensor : model.plain) tensor.is_uncounted |= !draft.router_bias_counted && tensor.name.ends_with("e_score_correction_bias");
  model.tensors = stored_tensors(model);
  if (!is_plausible(model.tensors))
    return fail(notice::custom("too_large", path, "These sizes together make more than 9 x 10^15 parameters: expected those of a real model.",
                               "config", "", "the sizes of a real model"));
  return std::move(model);
}

}  // namespace weighbridge
