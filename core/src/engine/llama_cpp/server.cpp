// SPDX-License-Identifier: Apache-2.0
// What llama-server keeps beside the context: adapters, earlier prompts, checkpoints. Read from the source, not measured
// unless a term says so; bands err upwards.
#include <algorithm>

#include "engine/formula.hpp"
#include "engine/llama_cpp/stages.hpp"
#include "engine/recurrent.hpp"

namespace weighbridge::llama_cpp {

namespace {

constexpr Source kAdapterSource{"ggml-org/llama.cpp v0.5.0 src/llama-adapter.cpp: each pair of matrices lies with the matrix that it changes",
                                "https://github.com/ggml-org/llama.cpp/blob/master/src/llama-adapter.cpp"};
constexpr Source kPromptSource{"ggml-org/llama.cpp v0.5.0 tools/server/server-task.cpp, server_prompt_cache: --cache-ram, 8192 MiB at most",
                               "https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md"};
constexpr Source kCheckpointSource{
    "ggml-org/llama.cpp v0.5.0 tools/server/server-context.cpp, create_checkpoint: windows and states of one sequence, 32 a slot at most",
    "https://github.com/ggml-org/llama.cpp/blob/master/tools/server/server-context.cpp"};

constexpr std::int64_t kFloat = 4;
constexpr std::int64_t kPromptCacheMib = 8192;  // common/common.h, cache_ram_mib
constexpr std::int64_t kCheckpoints = 32;       // n_ctx_checkpoints
constexpr std::int64_t kUsualCheckpoints = 2;   // one shortly before the end of every prompt, one at it

Term term_of(std::string_view id, const Source& source) {
  Term term;
  term.id = id;
  term.basis = Basis::modelled;
  term.source = source;
  return term;
}

/// What a checkpoint keeps: the windows' cells and the recurrent states of one sequence (LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY).
Bytes checkpoint_bytes(const Job& job, const Settings& settings) {
  Settings one = settings;
  one.n_seq_max = one.n_streams = 1;
  Bytes bytes;
  for (const LayerSpec& layer : job.model.layers) {
    const bool is_windowed = cells_of(layer.mixer, one) < one.cells;
    if (is_windowed && !layer.shares_cache) bytes += cache_bytes(layer.mixer, one, false);
  }
  for (const RecurrentRun& run : recurrent_runs(job.model, [](std::size_t) { return true; }))
    bytes += value_of({{"convolution_values", run.mixer->conv_values()},
                       {"state_values", run.mixer->state_values, Op::plus},
                       {"layers", run.layers},
                       {"bytes_per_value", kFloat}});
  return bytes;
}

}  // namespace

std::optional<Term> adapter_term(const Job& job, Bytes weights, Bytes all_weights) {
  const std::int64_t given = job.scenario.options.llama_cpp.lora_bytes.value_or(0);
  if (given == 0 || weights == Bytes() || all_weights == Bytes()) return std::nullopt;
  Term term = term_of("adapters", kAdapterSource);
  const double share = static_cast<double>(weights.count()) / static_cast<double>(all_weights.count());
  term.bytes = scaled(Bytes(static_cast<std::uint64_t>(given)), share);
  term.low = term.bytes - term.bytes / 10;
  term.high = term.bytes + term.bytes / 10;  // by layers, not by bytes
  if (job.explain) term.formula.rows.push_back({"adapters", {}, term.bytes, true});
  return term;
}

Term prompt_cache_term(const Job& job, Bytes cache) {
  Term term = term_of("prompt_cache", kPromptSource);
  const std::int64_t mib = job.scenario.options.llama_cpp.cache_ram.value_or(kPromptCacheMib);
  // It fills as prompts come and go; without a limit in bytes it holds as many tokens as the context does.
  term.high = mib < 0 ? cache : static_cast<std::uint64_t>(mib) * kMiB;
  if (job.explain) term.formula.rows.push_back({"earlier_prompts", {}, {}, true});
  return term;
}

std::optional<Term> checkpoints_term(const Job& job, const Settings& settings) {
  const std::int64_t most = job.scenario.options.llama_cpp.ctx_checkpoints.value_or(kCheckpoints);
  const Bytes one = most == 0 ? Bytes() : checkpoint_bytes(job, settings);
  if (one == Bytes()) return std::nullopt;
  Term term = term_of("checkpoints", kCheckpointSource);
  const auto slots = static_cast<std::uint64_t>(settings.n_seq_max);
  FormulaRow row = make_row(
      job.explain, "checkpoints",
      {{"bytes_of_one", as_factor(one)}, {"checkpoints", std::min(most, kUsualCheckpoints)}, {"sequences", settings.n_seq_max}});
  term.bytes = row.bytes;
  term.high = one * static_cast<std::uint64_t>(most) * slots;
  if (job.explain) term.formula.rows.push_back(std::move(row));
  return term;
}

void weigh_loading(const Job& job, const Loads& loads, HostPlan& host) {
  Bytes file = loads.embedding.plain + loads.tables + loads.output.plain;
  Bytes largest = std::max(loads.output.largest, loads.embedding.largest);
  for (const std::vector<Load>* parts : {&loads.layers, &loads.experts, &loads.predictions})
    for (const Load& load : *parts) {
      file += load.plain;
      largest = std::max(largest, load.largest);
    }
  for (const Term& term : host.terms)
    if (term.id == "weights") host.load_peak = term.bytes;
  if (job.scenario.options.llama_cpp.mmap.value_or(true))
    host.mapped = file;
  else
    host.load_peak += std::max(largest, 256 * kMiB);  // src/llama-model-loader.cpp, load_all_data: one tensor, or four buffers of 64 MiB
}

}  // namespace weighbridge::llama_cpp
