// SPDX-License-Identifier: Apache-2.0
// The buffer of the graph on each device and on the host: src/llama-context.cpp sched_reserve, ggml/src/ggml-backend.cpp (splits and copies).
#include <algorithm>
#include <initializer_list>

#include "engine/formula.hpp"
#include "engine/llama_cpp/stages.hpp"
#include "json_text.hpp"

namespace weighbridge::llama_cpp {

namespace {

constexpr Source kSource{
    "ggml-org/llama.cpp v0.5.0 src/llama-graph.cpp, ggml/src/ggml-alloc.c; closed forms against 800 contexts planned by the engine",
    "https://github.com/ggml-org/llama.cpp/blob/master/src/llama-graph.cpp"};

constexpr std::int64_t kOffloadBatch = 32;  // ggml-cuda.cu, ggml_backend_cuda_device_offload_op: least tokens for which host weights are copied

/// How far the engine's own plan lay from these forms, in thousandths, over contexts planned by the engine, and widened: fragmentation makes
/// buffers larger, reuse that a form does not see makes them smaller.
struct Spread {
  std::int64_t below = 0;
  std::int64_t above = 0;
  int records = 0;
};

bool has_recurrent_layers(const Model& model) {
  return std::any_of(model.layers.kinds().begin(), model.layers.kinds().end(),
                     [](const LayerSpec& layer) { return recurrent_part(layer) != nullptr; });
}

Spread spread_of(const Job& job) {
  const Model& model = job.model;
  // No records: what the graph of a recurrent or compressed layer keeps alive is a bound from its source.
  const auto is_compressed = [](const LayerSpec& layer) { return std::holds_alternative<CompressedAttention>(layer.mixer); };
  if (has_recurrent_layers(model) || std::any_of(model.layers.kinds().begin(), model.layers.kinds().end(), is_compressed)) return {400, 600, 0};
  if (first_latent_attention(model.layers) != nullptr) return {60, 120, 37};
  // MoE graphs: up to a third more was seen, since fused routing keeps tensors apart.
  if (first_moe(model) != nullptr) return {100, 400, is_any_of(model.architecture, {"qwen3_moe", "mixtral", "gpt_oss", "glm4_moe"}) ? 230 : 0};
  if (is_any_of(model.architecture, {"llama", "qwen2", "qwen3", "mistral"})) return {160, 120, 430};
  if (is_any_of(model.architecture, {"gemma2", "gemma3", "gemma3_text"})) return {160, 200, 180};
  return {250, 300, model.architecture == "phi3" ? 45 : 0};
}

}  // namespace

bool has_poor_forms(const Job& job) {
  const auto is_poor = [](const LayerSpec& layer) {
    return recurrent_part(layer) != nullptr || std::holds_alternative<LatentAttention>(layer.mixer) ||
           std::holds_alternative<CompressedAttention>(layer.mixer);
  };
  const auto is_of_layers = [](const Tensor& tensor) { return tensor.role == TensorRole::layer_embedding; };
  const auto is_of_cuda = [](const DeviceGroup& group) { return pads_rows(group.device); };
  const std::vector<DeviceGroup>& hardware = job.scenario.hardware;
  return !std::all_of(hardware.begin(), hardware.end(), is_of_cuda) || job.model.architecture == "bitnet" ||
         std::any_of(job.model.layers.kinds().begin(), job.model.layers.kinds().end(), is_poor) ||
         std::any_of(job.tensors.begin(), job.tensors.end(), is_of_layers);
}

namespace {

/// Without a device that works for it, the host's processor runs the host's layers, and attention over a cache that lies there.
bool host_computes(const Settings& s, const Placement& placement) {
  if (placement.n_devices == 0) return true;
  return (placement.is_partial() || !s.offload_kqv) && (!s.op_offload || s.n_ubatch < kOffloadBatch);
}

/// Calls `visit` for one layer of each kind of those on `device`.
template <class Visit>
void for_each_kind(const Job& job, const Placement& placement, int device, Visit visit) {
  const LayerSpec* last = nullptr;
  for (std::size_t layer = 0; layer < job.model.layers.size(); ++layer) {
    if (placement.layer_device[layer] != device) continue;
    const LayerSpec& spec = job.model.layers[layer];
    if (last != nullptr && *last == spec) continue;
    last = &spec;
    visit(spec);
  }
}

/// Copies that a pipeline keeps of what enters a device's part of the graph. The first device takes the embedded tokens; later ones the two
/// addends of the last layer before them.
Bytes pipeline_inputs(const Job& job, const Settings& s, const Placement& placement, int device) {
  const std::uint64_t states = device == placement.layer_device.front() ? 1 : 2;
  const Bytes one = mask_bytes(job.model, s) + value_index_bytes(job.model, s) + hidden_bytes(job.model, s) * states;
  return one * static_cast<std::uint64_t>(placement.copies);
}

/// The first device works for the host's layers: it copies each matrix, and keys and values, to itself.
void add_copied_stages(const Job& job, const Settings& s, const Loads& loads, const Placement& placement, Stages& stages) {
  const Bytes mask = mask_bytes(job.model, s);
  const LayerSpec* last = nullptr;
  Bytes largest, largest_gate_up, largest_expert;
  for (std::size_t layer = 0; layer < job.model.layers.size(); ++layer) {
    const bool on_host = placement.layer_device[layer] == Placement::kHost;
    const LayerSpec& spec = job.model.layers[layer];
    if (on_host) {
      largest = std::max(largest, loads.layers[layer].largest);
      largest_gate_up = std::max(largest_gate_up, loads.layers[layer].largest_gate_up);
    }
    if (on_host || experts_stay(job, static_cast<std::int64_t>(layer))) largest_expert = std::max(largest_expert, loads.experts[layer].largest);
    if (on_host && (last == nullptr || !(*last == spec))) {
      last = &spec;
      FormulaRow attention = attention_stage(job, spec, s, mask + cache_bytes(spec.mixer, s, false), true);
      attention.label = "copied_keys_and_values";
      stages.add(std::move(attention));
    }
  }
  for (const LayerSpec& spec : {job.model.layers.front(), job.model.layers.back()}) {
    const bool moe = std::holds_alternative<MoeFfn>(spec.ffn);
    const Bytes down = moe ? largest_expert : largest;
    if (down > Bytes()) stages.add(copied_down_stage(job, spec, s, down, mask));
    const Bytes up = moe ? largest_expert : largest_gate_up;
    if (up > Bytes()) stages.add(copied_up_stage(job, spec, s, up, mask));
  }
  if (placement.output_device != Placement::kHost) return;
  FormulaRow output = output_stage(job, s, loads.head == TiedHead::none ? loads.output.largest : loads.embedding.largest);
  output.label = "copied_output_matrix";
  stages.add(std::move(output));
}

/// Keys and values of the graph's own tokens, of the widest layer.
Bytes new_values_bytes(const Model& model, const Settings& s) {
  std::int64_t widest = 0;
  for (const LayerSpec& layer : model.layers.kinds()) widest = std::max(widest, cache_values_per_token(layer.mixer));
  return value_of({{"values", widest}, {"micro_batch_tokens", s.n_ubatch}, {"bytes_per_value", 4}});
}

/// Some layer whose attention the host may run.
const LayerSpec* attending_host_layer(const Job& job, const Placement& placement) {
  for (std::size_t layer = 0; layer < job.model.layers.size(); ++layer) {
    const LayerSpec& spec = job.model.layers[layer];
    if (placement.layer_device[layer] == Placement::kHost && cache_values_per_token(spec.mixer) > 0) return &spec;
  }
  return nullptr;
}

/// What crosses over to the host for recurrent layers whose states lie there.
struct StatesOnHost {
  Bytes bytes;
  Bytes convolution;  ///< of it, the joined input of the convolution: the projection may be gone before it comes
};

/// The host writes the states back (src/models/mamba-base.cpp, delta-net-base.cpp: ggml_cpy into the cache), so what is written is copied to it.
/// The last tokens of a convolution are a strided view, and the scheduler copies the whole span of a view (ggml-backend.cpp,
/// ggml_dup_tensor_layout): all tokens of the projection and of the convolution's input, beside the states and one hidden state. RWKV's shifted
/// token and state are whole rows.
StatesOnHost states_on_host(const Job& job, const Settings& s, const Placement& placement) {
  StatesOnHost most;
  for (std::size_t layer = 0; layer < job.model.layers.size(); ++layer) {
    const RecurrentMixer* mixer = recurrent_part(job.model.layers[layer]);
    const bool runs_on_host = placement.layer_device[layer] == Placement::kHost;
    if (mixer == nullptr || (s.offload_kqv && !runs_on_host)) continue;
    const auto over_tokens = [&](std::int64_t values) {
      return value_of({{"values", values}, {"micro_batch_tokens", s.n_ubatch}, {"bytes_per_value", 4}});
    };
    const bool has_rows = mixer->kind == RecurrentKind::rwkv7;
    const Bytes convolution = runs_on_host && !has_rows ? over_tokens(mixer->conv_channels) : Bytes();
    const std::int64_t projected = runs_on_host ? mixer->inner_size + mixer->conv_channels + mixer->n_heads : 0;
    Bytes bytes = value_of({{"state_values", mixer->state_values},
                            {"convolution_values", 2 * mixer->conv_values(), Op::plus},
                            {"sequences", s.n_seq_max},
                            {"bytes_per_value", 4}});
    if (!has_rows) bytes += over_tokens(projected + job.model.hidden_size) + convolution;
    if (bytes > most.bytes) most = {bytes, convolution};
  }
  return most;
}

/// The first compressed attention with an indexer; null if there is none.
const CompressedAttention* indexed_attention(const Model& model) {
  for (const LayerSpec& layer : model.layers.kinds()) {
    const auto* compressed = std::get_if<CompressedAttention>(&layer.mixer);
    if (compressed != nullptr && compressed->indexer.n_heads > 0) return compressed;
  }
  return nullptr;
}

/// What the choice of compressed entries takes, a bound, not measured (src/models/deepseek4.cpp, build_lid_top_k). CUDA has a fused operation for
/// the published shape (ggml-cuda/lightning-indexer.cu): scores, their order and a copy of it. Elsewhere scores of every head, and their copy.
Bytes indexer_scores_bytes(const CompressedAttention& a, const Settings& s, const Device& device) {
  const bool is_fused = device.backend == "cuda" && a.indexer.n_heads == 64 && a.indexer.head_dim == 128;
  return value_of({{"values_per_entry", is_fused ? 3 : 2 * a.indexer.n_heads},
                   {"entries", compressed_cells(a, s)},
                   {"micro_batch_tokens", s.n_ubatch},
                   {"bytes_per_value", 4}});
}

Term finish(const Job& job, Stages stages, const Spread& spread) {
  Term term;
  term.id = "compute";
  term.basis = Basis::modelled;
  term.records = spread.records;
  term.source = kSource;
  term.bytes = stages.settle();
  term.low = term.bytes - term.bytes / 1000 * static_cast<std::uint64_t>(spread.below);
  term.high = term.bytes + term.bytes / 1000 * static_cast<std::uint64_t>(spread.above);
  if (!job.explain) return term;
  term.formula.is_maximum = true;
  term.formula.rows = std::move(stages.rows);
  term.formula.config_keys = {"hidden_size", "intermediate_size", "moe_intermediate_size", "num_experts_per_tok", "num_attention_heads",
                              "head_dim",    "vocab_size"};
  return term;
}

}  // namespace

namespace {

/// What Metal's flash attention sets aside beside its result: all keys and values of a layer in 16 bits, whatever their type, and partial results of
/// 32 groups of cells (llama_graph/metal.cpp).
Bytes metal_attention_bytes(const Mixer& mixer, const Settings& s) {
  const CachedHeads heads = cached_heads(mixer, s);
  const auto* latent = std::get_if<LatentAttention>(&mixer);
  const FullAttention* grouped = grouped_attention(mixer);
  if (!s.flash_attention || s.attends_on_host || (latent == nullptr && grouped == nullptr)) return {};
  const Bytes copies = value_of(
      {{"values", (heads.key + heads.value) * heads.heads}, {"cells", cells_of(mixer, s)}, {"streams", s.n_streams}, {"bytes_per_value", 2}});
  const std::int64_t rows = std::min<std::int64_t>(s.n_ubatch, 32 * s.n_streams);
  const Bytes partial = value_of({{"values", (latent != nullptr && heads.value == 0 ? latent->kv_lora_rank : heads.value) + 2},
                                  {"n_heads", latent != nullptr ? latent->n_heads : grouped->n_heads},
                                  {"rows", rows},
                                  {"groups", 32},
                                  {"bytes_per_value", 4}});
  return copies + partial;
}

Term device_compute_term(const Job& job, const Settings& s, const Loads& loads, const Placement& placement, int device) {
  Stages stages;
  Settings attended = s;
  if (s.attends_on_host) attended.type_k = attended.type_v = dtype::f16;  // nothing is copied for a kernel that does not run here
  const bool is_metal = job.scenario.hardware[device_groups(job.scenario)[static_cast<std::size_t>(device)]].device.backend == "metal";
  if (is_metal) attended.type_k = attended.type_v = dtype::f16;  // the copy is in metal_attention_bytes
  Bytes widest_block;
  const bool pipeline = placement.copies > 1;
  const Bytes inputs = pipeline ? pipeline_inputs(job, s, placement, device) : mask_bytes(job.model, s);
  for_each_kind(job, placement, device, [&](const LayerSpec& layer) {
    stages.add(ffn_stage(job, layer, s, inputs));
    widest_block = std::max(widest_block, stages.rows.back().bytes);
    const Bytes copied = s.offload_kqv ? Bytes() : cache_bytes(layer.mixer, s, false);
    const Bytes aside = is_metal ? metal_attention_bytes(layer.mixer, s) : Bytes();
    stages.add(attention_stage(job, layer, attended, inputs + copied + aside, !pipeline));
  });
  if (placement.output_device == device) stages.add(output_stage(job, s, pipeline ? inputs : Bytes()));
  Spread spread = spread_of(job);
  const bool works_for_host = ((device == 0 && placement.is_partial()) || !s.offload_kqv) && !host_computes(s, placement);
  if (works_for_host) {
    add_copied_stages(job, s, loads, placement, stages);
    // Without flash attention the scores of windowed and of full layers may lie side by side.
    const bool two_scores = !s.flash_attention && s.keeps_windows && sliding_layers(job.model).n_layers > 0;
    spread = {std::max<std::int64_t>(spread.below, 200), std::max<std::int64_t>(spread.above, two_scores ? 1100 : 250), 0};
  }
  Term term = finish(job, std::move(stages), spread);
  const CompressedAttention* compressed = indexed_attention(job.model);
  // Where the last norm lies in the room that the experts left, the logits may have to begin behind that room.
  const bool routed = first_moe(job.model) != nullptr && first_latent_attention(job.model.layers) == nullptr;
  if (routed && placement.output_device == device) term.high = std::max(term.high, output_stage(job, s, widest_block).bytes);
  // Later splits of a recurrent graph take the mixer's result and the state of the residual over as well, each in its copies.
  if (pipeline && has_recurrent_layers(job.model)) term.high += inputs;
  if (compressed != nullptr) {
    const std::vector<std::size_t> groups = device_groups(job.scenario);
    term.high += indexer_scores_bytes(*compressed, s, job.scenario.hardware[groups[static_cast<std::size_t>(device)]].device);
  }
  if (works_for_host) {
    term.high += states_on_host(job, s, placement).bytes;  // what the host hands over, and takes back
    // Copies of keys and values of one layer may lie beside those of the next.
    const auto caches = [](const LayerSpec& layer) { return cache_values_per_token(layer.mixer) > 0; };
    const auto layer = std::find_if(job.model.layers.kinds().begin(), job.model.layers.kinds().end(), caches);
    if (layer != job.model.layers.kinds().end()) term.high += cache_bytes(layer->mixer, s, false);
  }
  return term;
}

Term host_compute_term(const Job& job, const Settings& s, const Placement& placement) {
  const Bytes hidden = hidden_bytes(job.model, s);
  const Bytes mask = mask_bytes(job.model, s);
  Stages stages;
  // Attention on the host: queries and results cross over; how many holes they find depends on the sizes.
  const Bytes attention = s.attends_on_host ? hidden * 2 + new_values_bytes(job.model, s) + mask : Bytes();
  // Embedded tokens and the input for embeddings given from outside are both reserved; a pipeline keeps the other inputs several times.
  const bool computes = host_computes(s, placement);
  const StatesOnHost states = computes ? StatesOnHost() : states_on_host(job, s, placement);
  const Bytes mask_and_indices = (mask + value_index_bytes(job.model, s)) * static_cast<std::uint64_t>(placement.copies);
  stages.add(make_row(job.explain, "graph_inputs",
                      {{"embedding_inputs", 2},
                       {"hidden_state", as_factor(hidden)},
                       {"mask_and_indices", as_factor(mask_and_indices), Op::plus},
                       {"attention_on_host", as_factor(attention), Op::plus}}));
  if (states.bytes > Bytes())
    stages.add(make_row(job.explain, "recurrent_mixer",
                        {{"states_alive", as_factor(states.bytes)}, {"graph_inputs", as_factor(stages.rows.back().bytes), Op::plus}}));
  const Bytes entering = stages.rows.back().bytes;
  // Around a recurrent layer that the host runs, the scheduler leaves its neighbours there too. Attention beside it always is.
  const LayerSpec* attending = states.bytes > Bytes() && !s.flash_attention ? attending_host_layer(job, placement) : nullptr;
  if (attending != nullptr && attending->beside) stages.add(attention_stage(job, *attending, s, mask + hidden, true));
  if (computes) {
    for_each_kind(job, placement, Placement::kHost, [&](const LayerSpec& layer) {
      stages.add(ffn_stage(job, layer, s, mask + hidden));
      stages.add(attention_stage(job, layer, s, mask + hidden, true));
    });
    if (!s.offload_kqv) stages.add(attention_stage(job, job.model.layers.front(), s, mask + hidden, true));
    if (placement.output_device == Placement::kHost) stages.add(output_stage(job, s, hidden));
  }
  Spread spread = spread_of(job);
  // The processor's backend fuses no routing: experts of a hybrid leave more room to reuse than the form has.
  const bool hybrid_experts = first_moe(job.model) != nullptr && has_recurrent_layers(job.model);
  const std::int64_t below = first_moe(job.model) == nullptr ? 160 : (computes && hybrid_experts ? 500 : 300);
  spread = {below, std::max<std::int64_t>(spread.above, 200), spread.records};
  Term term = finish(job, std::move(stages), spread);
  term.low = term.low - std::min(term.low, states.convolution);
  if (attending != nullptr) term.high = std::max(term.high, attention_stage(job, *attending, s, entering, true).bytes);
  const bool returns_keys = placement.n_devices > 0 && (placement.is_partial() || !s.offload_kqv);
  if (returns_keys) term.high += new_values_bytes(job.model, s) + hidden;  // new keys, and what is fused with them, come back to a cache of the host
  if (s.attends_on_host) {
    term.low = term.low - attention;
    term.high += hidden;
  }
  return term;
}

/// The forms of a graph know layers on one place or another. Where rules place single tensors, the first device may hold copies of two at a time,
/// and the others may do less; records lie within these bounds.
void widen_for_moved(const Job& job, const Placement& placement, int index, Term& compute) {
  if (placement.moved.empty()) return;
  Bytes largest;
  for (std::size_t tensor = 0; tensor < placement.moved.size(); ++tensor)
    if (placement.moved[tensor] == Placement::kHost) largest = std::max(largest, load_of(job.tensors[tensor]).plain);
  compute.low = compute.low / 3;
  if (index == 0) compute.high += largest * 2;
}

}  // namespace

ComputeTerms bounded_compute_terms(const Job& job, const Settings& s, const Loads& loads, const Placement& placement) {
  ComputeTerms terms;
  for (int device = 0; device < placement.n_devices; ++device) {
    terms.devices.push_back(device_compute_term(job, s, loads, placement, device));
    widen_for_moved(job, placement, device, terms.devices.back());
  }
  terms.host = host_compute_term(job, s, placement);
  return terms;
}

}  // namespace weighbridge::llama_cpp
