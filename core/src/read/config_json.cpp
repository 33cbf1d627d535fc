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
    Family{"RefinedWeb", read_falcon},
    Family{"RefinedWebModel", read_falcon},
    Family{"bert", read_bert},
    Family{"bloom", read_bloom},
    Family{"cohere", read_cohere},
    Family{"cohere2", read_cohere2},
    Family{"deepseek_v3", read_deepseek_v3},
    Family{"falcon", read_falcon},
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
    Family{"glm4_moe", read_glm4_moe},
    Family{"gpt2", read_gpt2},
    Family{"gpt_bigcode", read_gpt_bigcode},
    Family{"gpt_neox", read_gpt_neox},
    Family{"gpt_oss", read_gpt_oss},
    Family{"llama", read_llama},
    Family{"llama4", read_llama4},
    Family{"llama4_text", read_llama4_text},
    Family{"ministral3", read_ministral3},
    Family{"mistral", read_mistral},
    Family{"mistral3", read_mistral3},
    Family{"mistral4", read_mistral4},
    Family{"mixtral", read_mixtral},
    Family{"mllama", read_mllama},
    Family{"mllama_text_model", read_mllama_text},
    Family{"modernbert", read_modernbert},
    Family{"mpt", read_mpt},
    Family{"nomic_bert", read_nomic_bert},
    Family{"olmo", read_olmo},
    Family{"olmo2", read_olmo2},
    Family{"olmo3", read_olmo3},
    Family{"olmoe", read_olmoe},
    Family{"opt", read_opt},
    Family{"phi", read_phi},
    Family{"phi-msft", read_phi_msft},
    Family{"phi3", read_phi3},
    Family{"phi3small", read_phi3small},
    Family{"phimoe", read_phimoe},
    Family{"qwen2", read_qwen2},
    Family{"qwen3", read_qwen3},
    Family{"qwen3_moe", read_qwen3_moe},
    Family{"roberta", read_roberta},
    Family{"smollm3", read_smollm3},
    Family{"stablelm", read_stablelm},
    Family{"starcoder2", read_starcoder2},
    Family{"xlm-roberta", read_roberta},
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
  draft.stores_buffers = notes.flag_or("stores_buffers", false);
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
    if (!is_plausible(model.tensors))
      return fail(notice::custom("too_large", path, "These sizes together make more than 9 x 10^15 parameters: expected those of a real model.",
                                 "config", "", "the sizes of a real model"));
    return std::move(model);
  }
  return fail(notice::unknown("unknown_architecture", path + ".model_type", "architecture", excerpt(*type), known_families()));
}

}  // namespace weighbridge
