// SPDX-License-Identifier: Apache-2.0
// Weights are the file's tensors as they are; a device's buffer rounds rows and tensors up. Token embeddings stay on the host, and tied ones
// go to the output's device a second time (src/llama-model.cpp, TENSOR_DUPLICATED).
#include <algorithm>

#include "engine/formula.hpp"
#include "engine/llama_cpp.hpp"
#include "gguf/architecture.hpp"

namespace weighbridge::llama_cpp {

namespace {

constexpr Source kSource{
    "ggml-org/llama.cpp v0.5.0 src/llama-quant.cpp (types), src/llama-model.cpp load_tensors (place), ggml-cuda.cu get_alloc_size (padding)",
    "https://github.com/ggml-org/llama.cpp/blob/master/src/llama-quant.cpp"};
constexpr std::int64_t kRowPadding = 512;        // ggml-cuda.cu MATRIX_ROW_PADDING, elements
constexpr std::uint64_t kTensorAlignment = 128;  // ggml_backend_cuda_buffer_type_get_alignment, bytes
constexpr std::uint64_t kFileAlignment = 32;     // GGUF_DEFAULT_ALIGNMENT and the processor's TENSOR_ALIGNMENT, bytes
constexpr int kRecords = 200;                    // planned contexts of the families llama, qwen2, qwen3 and deepseek2: equal to 0.01 %

void add(Load& sum, const Load& load) {
  sum.padded += load.padded;
  sum.plain += load.plain;
  sum.largest = std::max(sum.largest, load.largest);
  sum.largest_gate_up = std::max(sum.largest_gate_up, load.largest_gate_up);
}

/// A file without a head has the embedding as its head, on the device of the output, whatever its model says: an embedding model has none either.
/// Source: ggml-org/llama.cpp src/models/*.cpp, TENSOR_DUPLICATED.
bool has_embedding_as_head(const Job& job) {
  const bool is_encoder = !job.model.layers.empty() && std::holds_alternative<EncoderAttention>(job.model.layers[0].mixer);
  return !is_encoder && std::none_of(job.tensors.begin(), job.tensors.end(), [](const Tensor& tensor) { return tensor.name == "output"; });
}

/// Gemma 3n and 4 ask for the head before the embedding that it shares; only then is that made, a second time (src/models/gemma3n.cpp, gemma4.cpp).
bool holds_head_twice(const Job& job) {
  const std::string_view architecture = gguf::architecture_of(job.model);
  return architecture == "gemma3n" || architecture == "gemma4";
}

Loads count_loads(const Job& job) {
  Loads loads;
  loads.layers.resize(job.model.layers.size());
  loads.experts.resize(job.model.layers.size());
  const bool duplicated = has_embedding_as_head(job);
  for (const Tensor& tensor : job.tensors) {
    // A file's multi-token-prediction layers are skipped (TENSOR_SKIP) unless a context drafts with them (llama_model_params.load_mtp,
    // src/models/*.cpp); a loader of before that flag put those of Qwen3.5 and Step-3.5 into the buffers of the last device.
    if (tensor.part != ModelPart::text) continue;
    const Load load = load_of(tensor);
    if (tensor.layers.first >= 0) {
      auto& parts = is_routed(tensor) ? loads.experts : loads.layers;
      add(parts[static_cast<std::size_t>(tensor.layers.first)], load);
    } else if (tensor.name == kEmbeddingOfLayers) {
      loads.embedding_of_layers = load.plain;
    } else if (tensor.role == TensorRole::embedding) {
      loads.embedding = load.plain;
      if (duplicated) add(loads.output, load);
    } else if (tensor.name == "rope_freqs") {
      loads.rope_factors = load.padded;
    } else {
      add(loads.output, load);
    }
  }
  return loads;
}

/// Elements of one kind and type on one device.
struct Group {
  std::string_view label;
  DType type;
  std::int64_t elements = 0;
};

void add_to(std::vector<Group>& groups, std::string_view label, const Tensor& tensor) {
  auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return g.label == label && g.type == tensor.type; });
  if (group == groups.end()) group = groups.insert(group, Group{label, tensor.type, 0});
  group->elements += tensor.elements();
}

/// The tensors that lie on `device`, summed by kind and type.
std::vector<Group> groups_on(const Job& job, const Placement& placement, int device) {
  std::vector<Group> groups;
  const bool duplicated = has_embedding_as_head(job);
  for (std::size_t index = 0; index < job.tensors.size(); ++index) {
    const Tensor& tensor = job.tensors[index];
    if (tensor.part != ModelPart::text) continue;
    const bool is_moved = !placement.moved.empty() && placement.moved[index] != Placement::kUnmoved;
    if (tensor.role == TensorRole::embedding) {
      if (device == (is_moved ? placement.moved[index] : Placement::kHost)) add_to(groups, "embeddings", tensor);
      if (duplicated && placement.output_device == device && (device != Placement::kHost || holds_head_twice(job)))
        add_to(groups, "output_head", tensor);
      continue;
    }
    int place = layer_place(job, placement, index);
    if (is_moved) place = placement.moved[index];
    if (tensor.name == "rope_freqs" && placement.has_layers(device)) place = device;
    if (place == device) add_to(groups, row_label(tensor), tensor);
  }
  return groups;
}

std::vector<FormulaRow> explain(const Job& job, const Placement& placement, int device, Bytes total) {
  std::vector<FormulaRow> rows;
  Bytes counted;
  for (const Group& group : groups_on(job, placement, device)) {
    if (group.type.block_size == 1)
      rows.push_back(make_row(true, group.label, {{"elements", group.elements}, {"bytes_per_element", group.type.block_bytes}}));
    else
      rows.push_back(make_row(
          true, group.label,
          {{"elements", group.elements}, {"elements_per_block", group.type.block_size, Op::divide}, {"bytes_per_block", group.type.block_bytes}}));
    counted += rows.back().bytes;
  }
  sort_largest_first(rows);
  if (total > counted) rows.push_back({"row_padding", {}, total - counted, true});
  return rows;
}

}  // namespace

bool is_routed(const Tensor& tensor) { return tensor.name.starts_with("ffn_") && tensor.name.find("_exps") != std::string_view::npos; }

Load load_of(const Tensor& tensor) {
  const std::int64_t row = tensor.cols > 1 ? tensor.cols : tensor.rows;
  const std::int64_t n_rows = tensor.cols > 1 ? tensor.copies() * tensor.rows : tensor.copies();
  const Bytes plain = (buffer_bytes(tensor.type, row, n_rows, false) + Bytes(kFileAlignment - 1)) / kFileAlignment * kFileAlignment;
  const bool widens = tensor.role == TensorRole::ffn_gate_up || tensor.role == TensorRole::shared_gate_up;
  return {buffer_bytes(tensor.type, row, n_rows, true), plain, plain, widens ? plain : Bytes()};
}

bool pads_rows(const Device& device) { return device.backend == "cuda" || device.backend == "rocm"; }

Bytes buffer_bytes(DType type, std::int64_t row, std::int64_t n_rows, bool padded) {
  Bytes bytes = size_of(type, row) * static_cast<std::uint64_t>(n_rows);
  if (!padded) return bytes;
  if (is_ggml_quantized(type) && row % kRowPadding != 0) bytes += size_of(type, kRowPadding - row % kRowPadding);
  return (bytes + Bytes(kTensorAlignment - 1)) / kTensorAlignment * kTensorAlignment;
}

const Loads& loads_of(const Job& job, std::shared_ptr<const void>& kept) {
  if (!kept) kept = std::make_shared<const Loads>(count_loads(job));
  return *static_cast<const Loads*>(kept.get());
}

Term weights_term(const Job& job, const Loads& loads, const Placement& placement, int device, bool padded) {
  Term term;
  term.id = "weights";
  term.basis = Basis::exact;
  term.records = kRecords;
  term.source = kSource;
  const auto take = [&](const Load& load) { term.bytes += padded ? load.padded : load.plain; };
  for (std::size_t layer = 0; layer < loads.layers.size(); ++layer) {
    const int place = placement.layer_device[layer];
    if (place == device) take(loads.layers[layer]);
    const int experts = static_cast<std::int64_t>(layer) < job.scenario.cpu_moe_layers ? Placement::kHost : place;
    if (experts == device) take(loads.experts[layer]);
  }
  for (std::size_t index = 0; index < placement.moved.size(); ++index) {
    const int to = placement.moved[index];
    const int from = layer_place(job, placement, index);
    if (to == Placement::kUnmoved || from == to || (from != device && to != device)) continue;
    const Load load = load_of(job.tensors[index]);
    if (to == device) take(load);
    if (from == device) term.bytes -= padded ? load.padded : load.plain;
  }
  if (device == Placement::kHost) term.bytes += loads.embedding + loads.embedding_of_layers;
  // On the host alone, tied embeddings serve as output too.
  const bool shares_embedding = device == Placement::kHost && has_embedding_as_head(job) && !holds_head_twice(job);
  if (placement.output_device == device) {
    take(loads.output);
    if (shares_embedding) term.bytes -= loads.embedding;
  }
  if (std::find(placement.layer_device.begin(), placement.layer_device.end(), device) != placement.layer_device.end())
    term.bytes += loads.rope_factors;
  term.low = term.high = term.bytes;
  if (job.explain) {
    term.formula.rows = explain(job, placement, device, term.bytes);
    term.formula.config_keys = {"num_hidden_layers", "hidden_size", "vocab_size"};
  }
  return term;
}

}  // namespace weighbridge::llama_cpp
