// SPDX-License-Identifier: Apache-2.0
// Drafting with the model's own prediction layers: a second context on the same weights (ggml-org/llama.cpp v0.5.0 common/speculative.cpp,
// common_speculative_init_result). It is planned as the context of a model that has these layers and no others.
#include <algorithm>

#include "engine/formula.hpp"
#include "engine/llama_cpp/llama_cpp.hpp"
#include "llama_graph/simulate.hpp"

namespace weighbridge::llama_cpp {

namespace {

constexpr Source kSource{
    "ggml-org/llama.cpp v0.5.0 common/speculative.cpp: a second context on the model's prediction layers; src/models/*.cpp, graph_mtp, replayed",
    "https://github.com/ggml-org/llama.cpp/blob/master/common/speculative.cpp"};

constexpr std::int64_t kFloat = 4;

/// Owns what the job of the second context refers to.
class Draft {
 public:
  Draft(const Job& job, const Settings& settings, const Placement& placement)
      : model_(job.model), scenario_(job.scenario), placement_(placement), job_{model_, tensors_, scenario_, job.explain, nullptr} {
    const std::int64_t n_layers = job.model.n_layers();
    model_.layers = job.model.mtp_layers;
    model_.mtp_layers.clear();
    // Prediction layers attend to all tokens, without the indexer (src/models/deepseek32.cpp, graph_mtp).
    model_.layers.change_all([](LayerSpec& layer) {
      if (auto* latent = std::get_if<LatentAttention>(&layer.mixer)) latent->indexer = {};
    });
    placement_.layer_device = placement.draft_device;
    placement_.draft_device.clear();
    placement_.moved.clear();
    for (std::size_t row = 0; row < job.tensors.size(); ++row) {
      const Tensor& tensor = job.tensors[row];
      const bool predicts = tensor.part == ModelPart::mtp && tensor.layers.first >= n_layers;
      if (!predicts && (tensor.part != ModelPart::text || tensor.layers.first >= 0)) continue;
      tensors_.push_back(tensor);
      tensors_.back().part = ModelPart::text;
      if (predicts) tensors_.back().layers.first -= n_layers;
      if (!placement.moved.empty()) placement_.moved.push_back(placement.moved[row]);
    }
    scenario_.cpu_moe_layers = 0;  // those are the model's first
    scenario_.options.llama_cpp.moved.clear();
    settle_as(settings);
  }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  [[nodiscard]] const Job& job() const { return job_; }
  [[nodiscard]] const Settings& settings() const { return settings_; }
  [[nodiscard]] const Placement& placement() const { return placement_; }

 private:
  void settle_as(const Settings& main) {
    const LlamaCppOptions& o = scenario_.options.llama_cpp;
    settings_ = main;
    settings_.drafts = true;
    settings_.n_rs_seq = 0;
    settings_.n_outputs = main.n_ubatch;
    settings_.type_k = ggml_cache_type(o.type_k_draft.value_or("f16")).value_or(dtype::f16);
    settings_.type_v = ggml_cache_type(o.type_v_draft.value_or("f16")).value_or(dtype::f16);
    settings_.flash_attention = o.flash_attn.value_or(true);
    settings_.widest_values = 0;
    if (!o.flash_attn) settings_.flash_attention = llama_graph::runs_flash_attention(job_, settings_, placement_);
    if (!settings_.flash_attention) settings_.widest_values = widest_values(model_, settings_);
  }

  Model model_;
  std::vector<Tensor> tensors_;
  Scenario scenario_;
  Settings settings_;
  Placement placement_;
  Job job_;
};

/// The server of v0.5.0 asks for one result of each sequence (common_base_params_to_speculative); an older one had room for those of all tokens, and
/// for eight hidden states beside them (one log, ollama/ollama#17482).
void widen_for_servers(const Draft& draft, Term& term) {
  constexpr std::int64_t states = 8;
  const Settings& s = draft.settings();
  const Model& model = draft.job().model;
  const auto bytes_of = [](std::int64_t values) { return Bytes(static_cast<std::uint64_t>(values * kFloat)); };
  const Bytes cache = cache_term(draft.job(), s, draft.placement(), draft.placement().output_device, false).bytes;
  const Bytes logits = bytes_of(model.vocab_size * (s.n_ubatch - std::min(s.n_seq_max, s.n_ubatch)));
  term.low = std::max(cache, term.low - std::min(term.low, logits));
  term.high = std::max(term.high, cache + bytes_of((model.vocab_size + states * model.hidden_size) * s.n_ubatch));
  term.basis = Basis::modelled;
}

/// `graph` with what else the context has in that place.
Term term_of(const Draft& draft, Term graph, int device, bool padded) {
  Term term;
  term.id = "speculation";
  term.basis = graph.basis;
  term.records = graph.records;
  term.source = kSource;
  const Bytes cache = cache_term(draft.job(), draft.settings(), draft.placement(), device, padded).bytes;
  term.bytes = cache + graph.bytes;
  term.low = cache + graph.low;
  term.high = cache + graph.high;
  if (draft.job().scenario.options.llama_cpp.n_outputs && device == draft.placement().output_device) widen_for_servers(draft, term);
  if (cache > Bytes()) term.formula.rows.push_back({"cache", {}, cache, true});
  if (graph.bytes > Bytes()) term.formula.rows.push_back({"graph", {}, graph.bytes, true});
  return term;
}

/// Both contexts hand over states: the main one of every token of a batch, this one of its results, beside their logits (src/llama-context.cpp,
/// output_reserve; llama_set_embeddings_nextn).
void add_results(const Draft& draft, Term& term) {
  const Settings& s = draft.settings();
  const Model& model = draft.job().model;
  FormulaRow row = make_row(draft.job().explain, "results",
                            {{"hidden_size", model.hidden_size},
                             {"batch_tokens", s.n_batch},
                             {"draft_values", (model.hidden_size + model.vocab_size) * s.n_seq_max, Op::plus},
                             {"bytes_per_value", kFloat}});
  term.bytes += row.bytes;
  term.low += row.bytes;
  term.high += row.bytes;
  if (draft.job().explain) term.formula.rows.push_back(std::move(row));
}

}  // namespace

std::optional<DraftTerms> draft_terms(const Job& job, const Settings& settings, const Placement& placement) {
  if (!drafts(job)) return std::nullopt;
  const Draft draft(job, settings, placement);
  std::shared_ptr<const void> kept;
  const Loads& loads = loads_of(draft.job(), kept);
  ComputeTerms graphs = compute_terms(draft.job(), draft.settings(), loads, draft.placement());
  DraftTerms terms;
  const std::vector<std::size_t> groups = device_groups(job.scenario);
  for (std::size_t device = 0; device < groups.size(); ++device) {
    const bool padded = pads_rows(job.scenario.hardware[groups[device]].device);
    terms.devices.push_back(term_of(draft, std::move(graphs.devices[device]), static_cast<int>(device), padded));
  }
  terms.host = term_of(draft, std::move(graphs.host), Placement::kHost, false);
  add_results(draft, terms.host);
  return terms;
}

}  // namespace weighbridge::llama_cpp
