// SPDX-License-Identifier: Apache-2.0
// A model of its own that drafts: vllm/v1/spec_decode/draft_model.py, vllm/config/speculative.py.
#include "engine/serving_rules.hpp"
#include "engine/vllm/vllm.hpp"
#include "json_text.hpp"

namespace weighbridge::vllm {

namespace {

/// vllm-project/vllm#24322 is in v0.15.0: 0.10 to 0.14 raise NotImplementedError, and 0.9 drafts so with its older engine only.
constexpr int kDraftsSince = 15;

/// verify_equal_vocab_size_if_draft_model
std::optional<Notice> problem(const Job& job) {
  const Model& draft = *job.scenario.draft;
  if (const std::string& version = job.scenario.engine_version; is_older(version, kDraftsSince))
    return notice::custom("unsupported", "params.engine.version", "A model that drafts needs vLLM 0.15 or newer, got " + version + ".",
                          "engine.version", version, "0.15");
  if (draft.vocab_size == job.model.vocab_size) return std::nullopt;
  return notice::custom("unsupported", "params.engine.options.draft_model", "Target and draft model should have the same vocabulary size.",
                        "vocab_size", grouped(draft.vocab_size), grouped(job.model.vocab_size));
}

/// As it is published, whole on the ranks of the last stage (draft_tensor_parallel_size is that of the model), with an embedding and a head of its own
/// and without its encoder.
FormulaRow draft_weights(const Job& job, const Settings& settings) {
  Settings own = settings;
  own.draft = nullptr;
  own.encoder = false;
  own.lora_slots = 0;
  const Job draft{*settings.draft, settings.draft->tensors, job.scenario, false};
  return {"draft_model", {}, weights_term(draft, own, {0, settings.draft->n_layers(), true, true}).bytes, true};
}

}  // namespace

const DraftRules kDraftRules{problem, draft_weights};

}  // namespace weighbridge::vllm
