// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "json_text.hpp"
#include "read/decoder.hpp"
#include "read/families/families.hpp"
#include "read/towers/siglip.hpp"

namespace weighbridge {

namespace {

/// The language model by `version`: Llama 3 (2.5), Qwen2 (2.6), MiniCPM 4 as Llama (4.0), Qwen3 (4.5).
std::string_view language_of(KeyReader& config) {
  const auto given = config.json().find("version");
  const double version = given != config.json().end() && given->is_number()   ? given->get<double>()
                         : given != config.json().end() && given->is_string() ? std::strtod(given->get_ref<const std::string&>().c_str(), nullptr)
                                                                              : 2.6;
  if (version < 2.5) return "minicpm";
  if (version < 2.55 || (version > 3.9 && version < 4.45)) return "llama";
  return version < 3.9 ? "qwen2" : "qwen3";
}

/// Queries that read any number of patches (OpenBMB/MiniCPM-V resampler.py).
void add_resampler(TensorList& tensors, std::int64_t n_queries, std::int64_t hidden, std::int64_t width) {
  tensors.part(ModelPart::tower);
  tensors.outside();
  tensors.add({.name = "resampler.query", .rows = n_queries, .cols = hidden});
  if (width != hidden) tensors.linear("resampler.kv_proj", hidden, width);
  tensors.add({.name = "resampler.attn.in_proj_weight", .rows = 3 * hidden, .cols = hidden});
  tensors.add({.name = "resampler.attn.in_proj_bias", .rows = 3 * hidden});
  tensors.linear("resampler.attn.out_proj", hidden, hidden, true);
  for (const char* name : {"resampler.ln_q", "resampler.ln_kv", "resampler.ln_post"}) tensors.norm(name, hidden, true);
  tensors.add({.name = "resampler.proj", .rows = hidden, .cols = hidden});
  tensors.part(ModelPart::text);
}

}  // namespace

/// MiniCPM-V 2.5 to 4.5, and MiniCPM-o without what hears and speaks (OpenBMB/MiniCPM-V, vllm-project/vllm models/minicpmv.py): a language model whose keys stand at the top, SigLIP, and a
/// resampler that makes each tile `query_num` tokens.
void read_minicpmv(KeyReader& config, Draft& draft) {
  if (draft.model.architecture == "minicpmo")
    config.warn(notice::custom("not_counted", config.path("audio_config"), "What hears and speaks is not counted: about a billion parameters.",
                               "audio_config", "", "a model that sees only"));
  draft.model.architecture = std::string(language_of(config));
  draft.tensors.root("llm.");
  find_family(draft.model.architecture)(config, draft);
  draft.tensors.root({});
  if (config.error()) return;
  const std::int64_t n_queries = config.positive_or("query_num", 4096, 64, "");
  const bool drops_last = config.flag_or("drop_vision_last_layer", true);
  VisionTower tower{1152, 4304, 27, 16, 3, 14, 980, 0};
  if (config.has("vision_config") && config.json().find("vision_config")->is_object()) {
    KeyReader vision = config.under("vision_config");
    tower = read_image_sizes(vision, tower);
    config.adopt(vision);
  }
  if (config.error()) return;
  if (drops_last && tower.n_layers > 1) --tower.n_layers;
  constexpr std::int64_t most_tiles = 9 + 1;  // max_slice_nums of the published preprocessor_config.json, and the whole image
  tower.tokens_per_image = n_queries * most_tiles;
  draft.model.vision = tower;
  add_siglip(draft.tensors, tower, "vpm.");
  add_resampler(draft.tensors, n_queries, draft.model.hidden_size, tower.hidden_size);
}

}  // namespace weighbridge
