// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "json_text.hpp"
#include "read/decoder.hpp"
#include "read/families.hpp"
#include "weighbridge/read.hpp"

namespace weighbridge {

namespace {

struct Family {
  std::string_view model_type;
  FamilyReader read;
};

/// A new family is a file with its reader, and a row here.
constexpr std::array kFamilies{
    Family{"llama", read_llama},         Family{"qwen2", read_qwen2},
    Family{"qwen3", read_qwen3},         Family{"deepseek_v3", read_deepseek_v3},
    Family{"qwen3_moe", read_qwen3_moe}, Family{"mistral", read_mistral},
    Family{"mixtral", read_mixtral},     Family{"phi3", read_phi3},
    Family{"gemma2", read_gemma2},       Family{"gemma3_text", read_gemma3_text},
    Family{"gemma3", read_gemma3},       Family{"gpt_oss", read_gpt_oss},
    Family{"glm4_moe", read_glm4_moe},   Family{"generic_dense", read_generic_dense},
};

std::string known_families() {
  std::string names;
  for (const Family& family : kFamilies) names += (names.empty() ? "" : ", ") + std::string(family.model_type);
  return "one of " + names;
}

/// What no config.json says of the stored tensors, under a key of our own; the catalogue gives it where the published count tells.
void read_checkpoint_notes(KeyReader& config, Model& model) {
  if (config.error() || !config.has("weighbridge")) return;
  if (!config.json().find("weighbridge")->is_object()) {
    config.fail(notice::wrong_type(config.path("weighbridge"), "weighbridge", excerpt(*config.json().find("weighbridge")), "an object"));
    return;
  }
  KeyReader notes = config.under("weighbridge");
  model.stores_tied_head = notes.flag_or("stores_tied_head", false);
  model.mtp_stores_embeddings = notes.flag_or("mtp_stores_embeddings", true);
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
    Model model;
    model.architecture = name;
    family.read(config, model);
    if (!config.error()) model.checkpoint = read_weights_layout(config);
    read_checkpoint_notes(config, model);
    if (config.error()) return fail(*config.error());
    model.tensors = derive_tensors(model, model.checkpoint);
    if (!is_plausible(model.tensors))
      return fail(notice::custom("too_large", path, "These sizes together make more than 9 x 10^15 parameters: expected those of a real model.",
                                 "config", "", "the sizes of a real model"));
    return model;
  }
  return fail(notice::unknown("unknown_architecture", path + ".model_type", "architecture", excerpt(*type), known_families()));
}

}  // namespace weighbridge
