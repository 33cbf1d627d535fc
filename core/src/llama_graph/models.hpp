// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "llama_graph/builder.hpp"

namespace weighbridge::llama_graph {

/// Builds the graph of one batch as the engine's src/models/*.cpp does for a GGUF `architecture`, or that of its prediction layers if the context
/// drafts (Settings::drafts); false if we have not read that one.
[[nodiscard]] bool build_graph(Builder& builder, std::string_view architecture);

// The families, each in its file; false for an architecture that is none of theirs.
[[nodiscard]] bool build_decoder(Builder& builder, std::string_view architecture);
[[nodiscard]] bool build_encoder(Builder& builder, std::string_view architecture);
[[nodiscard]] bool build_gemma3n(Builder& builder, std::string_view architecture);
[[nodiscard]] bool build_gemma4(Builder& builder, std::string_view architecture);
/// Those with recurrent layers.
[[nodiscard]] bool build_hybrid(Builder& builder, std::string_view architecture);
[[nodiscard]] bool build_rwkv7(Builder& builder, std::string_view architecture);
[[nodiscard]] bool build_kimi_linear(Builder& builder, std::string_view architecture);

/// Decoders of latent attention: DeepSeek V2 to V3.2 and its like, MiniCPM3.
[[nodiscard]] bool build_latent_decoder(Builder& builder, std::string_view architecture);

/// DeepSeek-V4.
[[nodiscard]] bool build_deepseek4(Builder& builder, std::string_view architecture);

// The same for the graph of the first prediction layer, where all layers of the builder's model are such (graph_mtp).
[[nodiscard]] bool draft_with_decoder(Builder& builder, std::string_view architecture);
[[nodiscard]] bool draft_with_latent_decoder(Builder& builder, std::string_view architecture);
[[nodiscard]] bool draft_with_hybrid(Builder& builder, std::string_view architecture);

}  // namespace weighbridge::llama_graph
