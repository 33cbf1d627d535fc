// SPDX-License-Identifier: Apache-2.0
#include "llama_graph/models.hpp"

namespace weighbridge::llama_graph {

bool build_graph(Builder& builder, std::string_view architecture) {
  if (builder.settings.drafts) {
    for (const auto build : {draft_with_decoder, draft_with_latent_decoder, draft_with_hybrid})
      if (build(builder, architecture)) return true;
    return false;
  }
  for (const auto build : {
           build_decoder,
           build_encoder,
           build_gemma3n,
           build_gemma4,
           build_latent_decoder,
           build_deepseek4,
           build_hybrid,
           build_rwkv7,
           build_kimi_linear,
       })
    if (build(builder, architecture)) return true;
  return false;
}

}  // namespace weighbridge::llama_graph
