// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <optional>
#include <vector>

#include "engine/engine.hpp"
#include "engine/expert_padding.hpp"

namespace weighbridge {

/// What one rank of a pipeline holds: layers from `first` to before `end`, and what comes before the first or after the last.
struct Stage {
  std::int64_t first = 0;
  std::int64_t end = 0;
  bool is_first = true;
  bool is_last = true;

  /// Prediction layers are numbered behind the model's own and lie on the last stage.
  [[nodiscard]] bool holds(std::int64_t layer) const { return layer >= first && (layer < end || is_last); }
};

/// What `count()` answers, of an engine whose weights on a stage depend on neither context nor sequences.
template <class Count>
Term kept_weights(const Job& job, const Stage& stage, Count count) {
  if (job.explain || job.memo == nullptr || !job.memo->weights_of_stages) return count();
  std::vector<Memo::KeptWeights>& kept = *job.memo->weights_of_stages;
  const std::array<std::int64_t, 4> key{stage.first, stage.end, stage.is_first ? 1 : 0, stage.is_last ? 1 : 0};
  for (const Memo::KeptWeights& known : kept)
    if (known.stage == key) return known.term;
  return kept.emplace_back(Memo::KeptWeights{key, count()}).term;
}

/// As even as can be. Which stages hold one layer more differs between engines and releases, so each of them has to have room.
[[nodiscard]] std::vector<Stage> stages_of(const Model& model, std::int64_t count);

/// `tensor` in the layers of `stage` only, its count 0 where there are none. A tied embedding is held where the head is, too.
[[nodiscard]] Tensor within(Tensor tensor, const Stage& stage, bool tied);

/// `f(tensor, elements)` for each up-projection of latent attention in `stage`: what a rank of `ranks` that share attention holds of its weights.
template <class F>
void for_each_latent_up(const Job& job, const Stage& stage, std::int64_t ranks, F f) {
  for (const Tensor& tensor : job.tensors) {
    if (tensor.role != TensorRole::latent_kv_up || tensor.part != ModelPart::text || tensor.is_scale) continue;
    const Tensor held = within(tensor, stage, false);
    f(tensor, held.copies() * ceil_div(held.rows, ranks) * held.cols);
  }
}

/// How many ranks share each part of a layer: all of them, or groups that hold copies.
struct Split {
  std::int64_t attention = 1;      ///< and embeddings
  std::int64_t dense = 1;          ///< dense blocks, shared experts and the head
  std::int64_t experts = 1;        ///< each expert
  std::int64_t expert_groups = 1;  ///< groups that whole experts are dealt out to
};

/// The part of `whole` that one rank holds (layers/linear.py, vocab_parallel_embedding.py, in vLLM and SGLang alike); an encoder is copied.
[[nodiscard]] Tensor share_of(const Model& model, const Tensor& whole, const Split& split, const ExpertPadding& padding = {});

/// A size that `ranks` ranks cannot share; `block` above 1: whole blocks of scales would be cut.
struct Uneven {
  std::string_view key;  ///< of the model's config
  std::int64_t value = 0;
  std::int64_t block = 1;
  std::int64_t ranks = 1;
};

/// The first size that does not divide (divide() of distributed/utils.py), or nothing.
[[nodiscard]] std::optional<Uneven> uneven_size(const Job& job, const Split& split);
/// The same for an engine that splits by tensor parallel only, as it is said; not where everything is whole.
[[nodiscard]] std::optional<Notice> uneven_tensor_parallel(const Job& job, const Split& split);
/// Expert parallel for a model that has no experts.
[[nodiscard]] std::optional<Notice> needs_experts(const Job& job);
/// Whether every size divides among the ranks of `split`; else `plan` says which does not, and the nearest tensor parallel that works.
[[nodiscard]] bool divides(const Job& job, const Split& split, Plan& plan);
/// Of all layouts over the devices and machines of `asked` for which `works` holds: the one with the nearest tensor parallel, then with experts
/// dealt out as asked, then with as many copies; nothing if there is none.
template <class Works>
[[nodiscard]] std::optional<Parallel> nearest_layout(const Parallel& asked, Works works) {
  const std::int64_t devices = asked.tensor * asked.pipeline * asked.data;
  std::optional<Parallel> best;
  const auto distance = [&](const Parallel& p) {
    return std::abs(p.tensor - asked.tensor) * 4 + (p.expert == asked.expert ? 0 : 2) + (p.data == asked.data ? 0 : 1);
  };
  for (std::int64_t tensor = 1; tensor <= devices; ++tensor)
    for (std::int64_t pipeline = 1; devices % tensor == 0 && pipeline <= devices / tensor; ++pipeline) {
      if (devices / tensor % pipeline != 0) continue;
      for (const bool expert : {false, true}) {
        const Parallel p{tensor, pipeline, devices / tensor / pipeline, expert, asked.nodes};
        if ((!best || distance(p) < distance(*best)) && works(p)) best = p;
      }
    }
  return best;
}

/// The working number of ranks nearest to `wanted` that all share everything, smaller on a tie.
[[nodiscard]] std::int64_t nearest_tensor_parallel(const Job& job, std::int64_t wanted);

}  // namespace weighbridge
