// SPDX-License-Identifier: Apache-2.0
#include "llama_graph/models.hpp"

namespace weighbridge::llama_graph {

bool build_graph(Builder& builder, std::string_view architecture) {
  return build_decoder(builder, architecture) ||  //
         build_latent_decoder(builder, architecture) ||  //
         build_deepseek4(builder, architecture);
}

}  // namespace weighbridge::llama_graph
