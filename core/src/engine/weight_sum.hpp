// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/engine.hpp"

namespace weighbridge {

/// What one rank holds of a model's tensors, added up by kind: the rows of a weights term.
class WeightSum {
 public:
  /// `explain`: by kind; else the bytes alone, which solvers ask for often.
  explicit WeightSum(bool explain) : explain_(explain) {}
  /// `count` layers of `tensor`, of which a rank holds `local` each.
  void add(const Tensor& tensor, const Tensor& local);
  [[nodiscard]] Bytes bytes() const { return bytes_; }
  /// A row a kind, largest first. `ranks`: what a person divides by.
  [[nodiscard]] std::vector<FormulaRow> rows(std::int64_t ranks) const;

 private:
  struct Group {
    std::string_view label;
    DType type;
    std::int64_t elements = 0;
    std::int64_t local_elements = 0;
    Bytes local_bytes;
  };
  [[nodiscard]] static FormulaRow row_of(const Group& group, std::int64_t ranks);

  bool explain_;
  Bytes bytes_;
  std::vector<Group> groups_;
};

/// The weights term of an engine whose devices all hold the same: `held` says what one of `ranks` has of a tensor, nothing if it is not loaded. The
/// bounds are its caller's.
[[nodiscard]] Term summed_weights(const Job& job, std::int64_t ranks, const Source& source,
                                  const std::function<std::optional<Tensor>(const Tensor&)>& held);
/// Adds what `row` says to `term`; a row without bytes is not shown.
void add_row(const Job& job, Term& term, FormulaRow row);

/// Bounds of weights that no record of the engine holds: how far kernels of others pad, widened upwards.
void bound_unmeasured_weights(Term& weights);

/// Whether serving engines load a key projection a second time, for values: Gemma 4's layers that see everything have no v_proj, and the loaders
/// copy k_proj into its place (vllm/model_executor/models/gemma4.py _weight_iterator, sglang/srt/models/gemma4_causal.py load_weights).
[[nodiscard]] bool serves_as_values(const Job& job, const Tensor& tensor);

/// One table of cosines and sines for all layers of one base, not split over ranks; `width` bytes a value, each table `lengths` times as long as
/// the context.
[[nodiscard]] FormulaRow rotary_table_row(const Model& model, std::int64_t width, std::int64_t lengths = 1);

}  // namespace weighbridge
