// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "engine/llama_cpp/llama_cpp.hpp"

namespace weighbridge::llama_cpp {

/// What is alive at the widest points of a graph over n_ubatch tokens. ggml-alloc.c places tensors one after the other and reuses what is no
/// longer needed; these are the points where most lives at once. Activations are 32-bit floats.
struct Stages {
  std::vector<FormulaRow> rows;

  void add(FormulaRow row);
  /// The largest row; it is marked as the one that decides.
  Bytes settle();
};

/// Whole numbers of bytes as a factor of a formula.
[[nodiscard]] std::int64_t as_factor(Bytes bytes);

/// The attention mask: f16 with flash attention, else f32 (src/llama-graph.cpp, build_attn_inp_kv).
/// Layers with a window have a second one, for their own cells.
[[nodiscard]] Bytes mask_bytes(const Model& model, const Settings& settings);
/// Where new values go in a transposed cache, one 64-bit index for each: only without flash attention.
[[nodiscard]] Bytes value_index_bytes(const Model& model, const Settings& settings);
/// One hidden state for each token of the graph.
[[nodiscard]] Bytes hidden_bytes(const Model& model, const Settings& settings);

[[nodiscard]] FormulaRow output_stage(const Job& job, const Settings& settings, Bytes inputs);
[[nodiscard]] FormulaRow ffn_stage(const Job& job, const LayerSpec& layer, const Settings& settings, Bytes inputs);
/// `with_value_index`: count the indices here; a pipeline counts them with its copied inputs.
[[nodiscard]] FormulaRow attention_stage(const Job& job, const LayerSpec& layer, const Settings& settings, Bytes inputs, bool with_value_index);

/// While the first device works for layers of the host: a copy of the layer's largest matrix beside what lives then.
[[nodiscard]] FormulaRow copied_down_stage(const Job& job, const LayerSpec& layer, const Settings& settings, Bytes matrix, Bytes inputs);
[[nodiscard]] FormulaRow copied_up_stage(const Job& job, const LayerSpec& layer, const Settings& settings, Bytes matrix, Bytes inputs);

}  // namespace weighbridge::llama_cpp
