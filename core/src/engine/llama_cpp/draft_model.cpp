// SPDX-License-Identifier: Apache-2.0
// Drafting with a model of its own (`--model-draft`): ggml-org/llama.cpp v0.5.0 common/speculative.cpp, common_base_params_to_speculative and
// common_speculative_init_result. It is loaded behind the model, with a context as long and for as many sequences, and planned like any other.
#include <algorithm>
#include <cstdlib>

#include "engine/llama_cpp/llama_cpp.hpp"
#include "json_text.hpp"
#include "weighbridge/ggml_type.hpp"

namespace weighbridge::llama_cpp {

namespace {

constexpr Source kSource{
    "ggml-org/llama.cpp v0.5.0 common/speculative.cpp: a second model with a context of its own, planned as the first is; no measured record",
    "https://github.com/ggml-org/llama.cpp/blob/master/common/speculative.cpp"};

constexpr std::int64_t kMostVocabularyDifference = 128;  // SPEC_VOCAB_MAX_SIZE_DIFFERENCE

/// Kept from one answer to the next (Memo::draft).
struct Kept {
  std::shared_ptr<const Model> model;
  std::string format;
  Prepared prepared;

  Kept(std::shared_ptr<const Model> drafting, std::string file_type)
      : model(std::move(drafting)), format(std::move(file_type)), prepared(*model, format) {}
};

/// As the model's own file, if that is of a type that is made from any model.
std::string format_of(const Job& job) {
  const std::string& chosen = job.scenario.weights_format;
  return job.scenario.options.llama_cpp.draft_weights.value_or(chosen.starts_with("gguf:") ? chosen : std::string("gguf:Q8_0"));
}

Kept& kept_of(const Job& job, std::shared_ptr<void>& own) {
  std::shared_ptr<void>& place = job.memo != nullptr ? job.memo->draft : own;
  const auto* before = static_cast<const Kept*>(place.get());
  const std::string format = format_of(job);
  if (before == nullptr || before->model != job.scenario.draft || before->format != format)
    place = std::make_shared<Kept>(job.scenario.draft, format);
  return *static_cast<Kept*>(place.get());
}

/// The settings that the second context takes over, and those that it has of its own. Devices that no `tensor_split` shares out are shared by what the
/// model has left free.
Scenario scenario_of(const Job& job, const Settings& main, const std::vector<Bytes>& taken) {
  Scenario scenario = job.scenario;
  LlamaCppOptions& o = scenario.options.llama_cpp;
  scenario.draft.reset();
  scenario.weights_format = format_of(job);
  scenario.cpu_moe_layers = 0;
  scenario.kv_type = o.type_k_draft.value_or("f16");
  scenario.kv_value_type = o.type_v_draft.value_or("f16");
  o.type_k.reset();
  o.type_v.reset();
  o.override_tensor.clear();
  o.moved.clear();
  o.fit = o.mtp = o.mmproj = o.embeddings = false;
  o.lora_bytes.reset();
  o.n_ctx = main.n_ctx;
  o.n_seq_max = main.n_seq_max;
  o.n_rs_seq = 0;
  o.kv_unified = main.n_streams == 1;
  o.n_batch = main.n_batch;
  o.n_ubatch = main.n_ubatch;
  o.n_outputs = std::min(main.n_ubatch, main.n_seq_max);
  o.n_gpu_layers = o.n_gpu_layers_draft;
  const std::vector<std::size_t> groups = device_groups(scenario);
  for (std::size_t device = 0; device < groups.size() && groups.size() > 1 && taken.size() == groups.size(); ++device) {
    if (device < o.tensor_split.size()) continue;
    const Bytes capacity = scenario.hardware[groups[device]].capacity();
    if (job.scenario.options.llama_cpp.tensor_split.empty()) o.tensor_split.push_back(static_cast<double>((capacity - taken[device]).count()));
  }
  return scenario;
}

/// The second model and its context, planned.
class Second {
 public:
  Second(const Job& job, const Settings& main, const std::vector<Bytes>& taken)
      : kept_(kept_of(job, own_)),
        scenario_(scenario_of(job, main, taken)),
        job_{*kept_.model, kept_.prepared.tensors(), scenario_, job.explain, &kept_.prepared.memo()} {
    kept_.prepared.memo().bounds = job.memo == nullptr || job.memo->bounds;
    settings_ = settle(job_);
    placement_ = place(job_, settings_);
    groups_ = device_groups(scenario_);
    graphs_ = compute_terms(job_, settings_, loads_of(job_, kept_.prepared.memo().loads), placement_);
  }
  Second(const Second&) = delete;
  Second& operator=(const Second&) = delete;

  [[nodiscard]] const Job& job() const { return job_; }
  [[nodiscard]] const Settings& settings() const { return settings_; }
  [[nodiscard]] std::size_t n_devices() const { return groups_.size(); }
  [[nodiscard]] const Device& kind_of(std::size_t device) const { return scenario_.hardware[groups_[device]].device; }

  /// Weights, cache, states and, last, the graph's buffer: what the engine plans.
  [[nodiscard]] std::vector<Term> planned_on(std::size_t device) {
    return terms_on(static_cast<int>(device), pads_rows(kind_of(device)), std::move(graphs_.devices[device]));
  }
  [[nodiscard]] std::vector<Term> planned_on_host() { return terms_on(Placement::kHost, false, std::move(graphs_.host)); }

 private:
  [[nodiscard]] std::vector<Term> terms_on(int device, bool padded, Term graph) {
    const Loads& loads = loads_of(job_, kept_.prepared.memo().loads);
    std::vector<Term> terms{weights_term(job_, loads, placement_, device, padded), cache_term(job_, settings_, placement_, device, padded),
                            recurrent_term(job_, settings_, placement_, device)};
    terms.push_back(std::move(graph));
    return terms;
  }

  std::shared_ptr<void> own_;
  Kept& kept_;
  Scenario scenario_;
  Job job_;
  Settings settings_;
  Placement placement_;
  std::vector<std::size_t> groups_;
  ComputeTerms graphs_;
};

/// `terms` as one, with a row for each.
Term together(bool explain, std::vector<Term> terms) {
  Term sum;
  sum.id = "draft_model";
  sum.basis = Basis::exact;
  sum.source = kSource;
  for (const Term& term : terms) {
    sum.bytes += term.bytes;
    sum.low += term.low;
    sum.high += term.high;
    if (term.basis != Basis::exact) sum.basis = Basis::modelled;
    if (!explain || term.bytes == Bytes()) continue;
    const std::string_view label = term.id == "weights"   ? "draft_weights"
                                   : term.id == "compute" ? "graph"
                                   : term.id == "output"  ? "results"
                                                          : "cache";
    sum.formula.rows.push_back({term.id == "runtime_pool" ? "pages_and_workspace" : label, {}, term.bytes, true});
  }
  return sum;
}

}  // namespace

std::optional<Notice> draft_refusal(const Job& job) {
  if (job.scenario.draft == nullptr) return std::nullopt;
  const std::int64_t own = job.scenario.draft->vocab_size;
  const std::string name = job.scenario.options.draft_model.value_or("");
  if (std::abs(own - job.model.vocab_size) > kMostVocabularyDifference)
    return notice::custom("unsupported", "params.engine.options.draft_model",
                          "llama.cpp stops with \"draft model vocab type must match target model to use speculation\": " + name + " has " +
                              grouped(own) + " tokens and the model " + grouped(job.model.vocab_size) +
                              ", and they may differ by 128. Expected a smaller model of the same family.",
                          "draft_model", name, "a smaller model of the same family");
  if (drafts(job))
    return notice::custom("unsupported", "params.engine.options.draft_model",
                          "A draft model and the model's own prediction layers are not counted together: expected one of draft_model and mtp.",
                          "draft_model", name, "one of draft_model and mtp");
  return std::nullopt;
}

std::optional<DraftTerms> draft_model_terms(const Job& job, const Settings& settings, const std::vector<Bytes>& taken) {
  if (job.scenario.draft == nullptr) return std::nullopt;
  Second second(job, settings, taken);
  DraftTerms result;
  for (std::size_t device = 0; device < second.n_devices(); ++device) {
    std::vector<Term> terms = second.planned_on(device);
    if (terms.back().bytes > Bytes()) terms.push_back(runtime_pool_term(second.job(), second.settings(), second.kind_of(device)));
    result.devices.push_back(together(job.explain, std::move(terms)));
  }
  std::vector<Term> terms = second.planned_on_host();
  terms.push_back(output_term(second.job(), second.settings()));
  result.host = together(job.explain, std::move(terms));
  return result;
}

std::vector<DraftSize> draft_model_sizes(const Job& job, const Settings& settings) {
  std::vector<DraftSize> sizes(device_groups(job.scenario).size());
  if (job.scenario.draft == nullptr) return sizes;
  Second second(job, settings, std::vector<Bytes>(sizes.size()));
  for (std::size_t device = 0; device < sizes.size(); ++device) {
    const std::vector<Term> terms = second.planned_on(device);
    sizes[device].weights = terms.front().bytes;
    for (const Term& term : terms) sizes[device].all += term.bytes;
  }
  return sizes;
}

}  // namespace weighbridge::llama_cpp
