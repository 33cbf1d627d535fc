// SPDX-License-Identifier: Apache-2.0
// What drafts tokens, and a model of its own that does: vllm/v1/spec_decode/draft_model.py, vllm/config/speculative.py.
#include <algorithm>
#include <array>

#include "engine/gpu_notices.hpp"
#include "engine/serving_rules.hpp"
#include "engine/vllm/vllm.hpp"
#include "json_text.hpp"

namespace weighbridge::vllm {

namespace {

/// vllm-project/vllm#24322 is in v0.15.0: 0.10 to 0.14 raise NotImplementedError, and 0.9 drafts so with its older engine only.
constexpr int kDraftsSince = 15;

/// verify_equal_vocab_size_if_draft_model
std::optional<Notice> model_problem(const Job& job) {
  const Model& draft = *job.scenario.draft;
  if (const std::string& version = job.scenario.engine_version; is_older(version, kDraftsSince))
    return notice::custom("unsupported", "params.engine.version", "A model that drafts needs vLLM 0.15 or newer, got " + version + ".",
                          "engine.version", version, "0.15");
  if (draft.vocab_size == job.model.vocab_size) return std::nullopt;
  return notice::custom("unsupported", "params.engine.options.draft_model", "Target and draft model should have the same vocabulary size.",
                        "vocab_size", grouped(draft.vocab_size), grouped(job.model.vocab_size));
}

/// vllm/config/speculative.py SpeculativeMethod: those that take no memory of their own or a part that is counted, and those with another model.
constexpr std::array kDrafting{"ngram", "ngram_gpu", "suffix", "eagle", "eagle3"};
constexpr std::array kDraftModels{"draft_model", "dflash", "dspark", "medusa", "mlp_speculator", "extract_hidden_states"};

template <class Names>
bool is_among(const Names& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::optional<Notice> problem(const Job& job) {
  if (job.scenario.draft)
    if (std::optional<Notice> other = model_problem(job)) return other;
  const VllmOptions& options = job.scenario.options.vllm;
  const std::optional<std::string>& method = options.speculative_method;
  const bool has_layers = !job.model.mtp_layers.empty();
  // SpeculativeConfig.__post_init__
  if (!method && !job.scenario.draft && !has_layers && options.num_speculative_tokens)
    return notice::custom("unsupported", "params.engine.options.speculative_method",
                          "num_speculative_tokens was provided but without speculative model.", "speculative_method", "none",
                          "one of ngram, eagle, eagle3");
  if (!method || is_among(kDrafting, *method) || is_among(kDraftModels, *method)) return std::nullopt;
  if (method->ends_with("mtp") && has_layers) return std::nullopt;
  return unknown_drafting("vLLM", "speculative_method", *method,
                          std::string(has_layers ? "mtp, " : "") + "eagle, eagle3, ngram, ngram_gpu, suffix, draft_model, dflash, medusa");
}

void warn(const Job& job, const Settings& settings, Notices& warnings) {
  if (const std::optional<std::string>& method = job.scenario.options.vllm.speculative_method;
      method && settings.draft == nullptr && is_among(kDraftModels, *method))
    warnings.push_back(draft_not_counted("speculative_method", *method));
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

const DraftRules kDraftRules{problem, warn, draft_weights};

}  // namespace weighbridge::vllm
