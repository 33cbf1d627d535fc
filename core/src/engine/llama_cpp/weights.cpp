// SPDX-License-Identifier: Apache-2.0
// Weights are the file's tensors as they are; a device's buffer rounds rows and tensors up. Token embeddings stay on the host, and tied ones
// go to the output's device a second time (src/llama-model.cpp, TENSOR_DUPLICATED).
#include <algorithm>

#include "engine/formula.hpp"
#include "engine/llama_cpp/llama_cpp.hpp"
#include "gguf/architecture.hpp"
#include "json_text.hpp"

namespace weighbridge::llama_cpp {

namespace {

constexpr Source kSource{
    "ggml-org/llama.cpp v0.5.0 src/llama-quant.cpp (types), src/llama-model.cpp load_tensors (place), ggml-cuda.cu get_alloc_size (padding)",
    "https://github.com/ggml-org/llama.cpp/blob/master/src/llama-quant.cpp"};
constexpr std::int64_t kRowPadding = 512;        // ggml-cuda.cu MATRIX_ROW_PADDING, elements
constexpr std::uint64_t kTensorAlignment = 128;  // ggml_backend_cuda_buffer_type_get_alignment, bytes
constexpr std::uint64_t kFileAlignment = 32;     // GGUF_DEFAULT_ALIGNMENT and the processor's TENSOR_ALIGNMENT, bytes
constexpr int kRecords = 200;                    // planned contexts of the families llama, qwen2, qwen3 and deepseek2: equal to 0.01 %
// An architecture that no converter here writes: a mix goes by names, and half the layers' values and down projections of Llama 3.1 8B a type up
// or down (Q4_K to Q6_K in Q4_K_M) are 5.3 % of its file.
constexpr double kUnknownMix = 0.06;

/// In a buffer that pads rows.
Bytes padded(DType type, std::int64_t row, Bytes bytes) {
  if (is_ggml_quantized(type) && row % kRowPadding != 0) bytes += size_of(type, kRowPadding - row % kRowPadding);
  return (bytes + Bytes(kTensorAlignment - 1)) / kTensorAlignment * kTensorAlignment;
}

void add(Load& sum, const Load& load) {
  sum.padded += load.padded;
  sum.plain += load.plain;
  sum.largest = std::max(sum.largest, load.largest);
  sum.largest_gate_up = std::max(sum.largest_gate_up, load.largest_gate_up);
}

/// Of a prediction layer, and loaded even where nothing drafts: asked for without TENSOR_SKIP (src/models/{step35,hy-v3,deepseek32,glm-dsa}.cpp). The
/// other architectures skip the layer whole.
bool is_loaded_idle(std::string_view architecture, std::string_view name) {
  if (architecture == "deepseek32" || architecture == "glm-dsa") return name == "exp_probs_b.bias";
  if (is_any_of(name,
                {"attn_norm", "attn_q", "attn_k", "attn_v", "attn_qkv", "attn_output", "ffn_norm", "nextn.eh_proj", "nextn.enorm", "nextn.hnorm"}))
    return false;
  if (architecture == "hy_v3") return name != "attn_q_norm" && name != "attn_k_norm";
  return architecture == "step35";
}

Loads count_loads(const Job& job) {
  Loads loads;
  loads.layers.resize(job.model.layers.size());
  loads.experts.resize(job.model.layers.size());
  loads.predictions.resize(job.model.mtp_layers.size());
  loads.idle_predictions.resize(job.model.mtp_layers.size());
  const std::string_view architecture = gguf::architecture_of(job.model);
  loads.head = tied_head(job);
  loads.embedding_row = job.tensors.size();
  for (std::size_t row = 0; row < job.tensors.size(); ++row) {
    const Tensor& tensor = job.tensors[row];
    const Load load = load_of(tensor);
    if (const auto prediction = static_cast<std::size_t>(tensor.layers.first - job.model.n_layers());
        tensor.part == ModelPart::mtp && tensor.layers.first >= job.model.n_layers() && prediction < loads.predictions.size()) {
      add(loads.predictions[prediction], load);
      if (is_loaded_idle(architecture, tensor.name)) add(loads.idle_predictions[prediction], load);
    }
    if (tensor.part != ModelPart::text) continue;
    if (tensor.layers.first >= 0) {
      auto& parts = is_routed(tensor) ? loads.experts : loads.layers;
      add(parts[static_cast<std::size_t>(tensor.layers.first)], load);
    } else if (tensor.role == TensorRole::embedding) {
      loads.embedding = load;
      loads.embedding_row = row;
    } else if (tensor.name == "rope_freqs") {
      loads.rope_factors = load.padded;
    } else if (const Section section = section_of(job, tensor); section == Section::input) {
      loads.tables += load.plain;
    } else {
      add(section == Section::first_layer ? loads.layers.front() : loads.output, load);
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

/// Where the embedding lies: as the table of tokens and, if the file has no output matrix, as the head. A rule for single tensors finds both, which
/// have one name; what would lie in one place twice is made once, unless the head was made first.
struct Embeddings {
  static constexpr int kNone = Placement::kUnmoved;
  int table = Placement::kHost;
  int head = kNone;

  [[nodiscard]] std::uint64_t on(int device) const { return std::uint64_t{table == device} + std::uint64_t{head == device}; }
};

Embeddings place_embeddings(const Job& job, const Loads& loads, const Placement& placement) {
  Embeddings embeddings;
  if (loads.embedding_row == job.tensors.size()) return embeddings;
  embeddings.table = place_of(job, placement, loads.embedding_row);
  if (loads.head == TiedHead::none) return embeddings;
  const bool is_moved = !placement.moved.empty() && placement.moved[loads.embedding_row] != Placement::kUnmoved;
  const int head = is_moved ? embeddings.table : placement.output_device;
  if (head != embeddings.table || loads.head == TiedHead::always) embeddings.head = head;
  return embeddings;
}

/// The tensors that lie on `device`, summed by kind and type.
std::vector<Group> groups_on(const Job& job, const Loads& loads, const Placement& placement, int device) {
  std::vector<Group> groups;
  const Embeddings embeddings = place_embeddings(job, loads, placement);
  for (std::size_t index = 0; index < job.tensors.size(); ++index) {
    const Tensor& tensor = job.tensors[index];
    if (tensor.part == ModelPart::mtp && is_loaded(job, tensor) && place_of(job, placement, index) == device)
      add_to(groups, "prediction_layers", tensor);
    if (tensor.part != ModelPart::text) continue;
    if (tensor.role == TensorRole::embedding) {
      if (embeddings.table == device) add_to(groups, "embeddings", tensor);
      if (embeddings.head == device) add_to(groups, "output_head", tensor);
      continue;
    }
    const bool is_everywhere = tensor.name == "rope_freqs" && placement.has_layers(device);
    if (is_everywhere || place_of(job, placement, index) == device) add_to(groups, row_label(tensor), tensor);
  }
  return groups;
}

std::vector<FormulaRow> explain(const Job& job, const Loads& loads, const Placement& placement, int device, Bytes total) {
  std::vector<FormulaRow> rows;
  Bytes counted;
  for (const Group& group : groups_on(job, loads, placement, device)) {
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

TiedHead tied_head(const Job& job) {
  const std::string_view architecture = gguf::architecture_of(job.model);
  const bool is_encoder = !job.model.layers.empty() && std::holds_alternative<EncoderAttention>(job.model.layers[0].mixer);
  // Gemma's embedding model loads a head that it does not use (src/models/gemma-embedding.cpp).
  if ((is_encoder && architecture != "gemma-embedding") || architecture == "bitnet") return TiedHead::none;
  if (std::any_of(job.tensors.begin(), job.tensors.end(), [](const Tensor& tensor) { return tensor.name == "output"; })) return TiedHead::none;
  // Gemma 3n and 4 ask for the head before the embedding that it shares; only then is that made (src/models/gemma3n.cpp, gemma4.cpp).
  return architecture == "gemma3n" || architecture == "gemma4" ? TiedHead::always : TiedHead::on_device;
}

bool knows_file_of(const Model& model) { return model.from_gguf || !gguf::architecture_of(model).empty(); }

bool is_routed(const Tensor& tensor) { return tensor.name.starts_with("ffn_") && tensor.name.find("_exps") != std::string_view::npos; }

Load load_of(const Tensor& tensor) {
  const std::int64_t row = tensor.cols > 1 ? tensor.cols : tensor.rows;
  const std::int64_t n_rows = tensor.cols > 1 ? tensor.copies() * tensor.rows : tensor.copies();
  const Bytes bytes = buffer_bytes(tensor.type, row, n_rows, false);
  const Bytes plain = (bytes + Bytes(kFileAlignment - 1)) / kFileAlignment * kFileAlignment;
  const bool widens = tensor.role == TensorRole::ffn_gate_up || tensor.role == TensorRole::shared_gate_up;
  return {padded(tensor.type, row, bytes), plain, plain, widens ? plain : Bytes()};
}

bool pads_rows(const Device& device) { return device.backend == "cuda" || device.backend == "rocm"; }

Bytes buffer_bytes(DType type, std::int64_t row, std::int64_t n_rows, bool pads) {
  const Bytes bytes = size_of(type, row) * static_cast<std::uint64_t>(n_rows);
  return pads ? padded(type, row, bytes) : bytes;
}

bool is_loaded(const Job& job, const Tensor& tensor) {
  if (tensor.part != ModelPart::mtp || tensor.layers.first < job.model.n_layers()) return tensor.part == ModelPart::text;
  if (tensor.layers.first >= layers_of_file(job)) return false;
  return drafts(job) || is_loaded_idle(gguf::architecture_of(job.model), tensor.name);
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
  // A file's prediction layers are skipped (TENSOR_SKIP) unless a context drafts with them (llama_model_params.load_mtp, src/models/*.cpp), some
  // architectures' only in part; a loader of before that flag put those of Qwen3.5 and Step-3.5 into the buffers of the last device.
  const std::vector<Load>& predictions = drafts(job) ? loads.predictions : loads.idle_predictions;
  const auto in_file = static_cast<std::size_t>(layers_of_file(job) - job.model.n_layers());
  for (std::size_t layer = 0; layer < std::min(in_file, predictions.size()); ++layer)
    if (placement.draft_device[layer] == device) take(predictions[layer]);
  for (std::size_t index = 0; index < placement.moved.size(); ++index) {
    const int to = placement.moved[index];
    const int from = layer_place(job, placement, index);
    if (to == Placement::kUnmoved || from == to || (from != device && to != device) || index == loads.embedding_row) continue;
    const Load load = load_of(job.tensors[index]);
    if (to == device) take(load);
    if (from == device) term.bytes -= padded ? load.padded : load.plain;
  }
  if (device == Placement::kHost) term.bytes += loads.tables;
  if (placement.output_device == device) take(loads.output);
  const Bytes embedding = padded ? loads.embedding.padded : loads.embedding.plain;
  term.bytes += embedding * place_embeddings(job, loads, placement).on(device);
  if (std::find(placement.layer_device.begin(), placement.layer_device.end(), device) != placement.layer_device.end())
    term.bytes += loads.rope_factors;
  term.low = term.high = term.bytes;
  if (!knows_file_of(job.model)) {
    term.basis = Basis::modelled;
    term.records = 0;
    term.low = scaled(term.bytes, 1 - kUnknownMix);
    term.high = scaled(term.bytes, 1 + kUnknownMix);
  }
  if (job.explain) {
    term.formula.rows = explain(job, loads, placement, device, term.bytes);
    term.formula.config_keys = {"num_hidden_layers", "hidden_size", "vocab_size"};
  }
  return term;
}

}  // namespace weighbridge::llama_cpp
