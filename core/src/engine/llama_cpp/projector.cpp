// SPDX-License-Identifier: Apache-2.0
// The image encoder (`--mmproj`): its file, and the buffer of its graph: ggml-org/llama.cpp v0.5.0 tools/mtmd/clip.cpp and tools/mtmd/models. A server
// reserves the graph of one image of the warm-up's size; a larger image, or several at once, make it grow.
#include <algorithm>
#include <array>

#include "engine/formula.hpp"
#include "engine/llama_cpp/llama_cpp.hpp"
#include "llama_graph/simulate.hpp"

namespace weighbridge::llama_cpp {

namespace {

constexpr Source kFileSource{"ggml-org/llama.cpp v0.5.0 conversion/base.py, MmprojModel (16-bit matrices, 32-bit vectors), tools/mtmd/clip.cpp",
                             "https://github.com/ggml-org/llama.cpp/blob/master/tools/mtmd/clip.cpp"};
constexpr Source kGraphSource{
    "ggml-org/llama.cpp v0.5.0 tools/mtmd/clip.cpp (load_hparams, build_vit), tools/mtmd/models: the widest moment of a block, against encoders that "
    "the engine planned itself; up to the largest image, or 1,024 tokens of several",
    "https://github.com/ggml-org/llama.cpp/blob/master/tools/mtmd/clip.cpp"};
constexpr Source kBoundSource{"ggml-org/llama.cpp v0.5.0 tools/mtmd/clip.cpp, reserve_compute_meta; this encoder's graph was not read",
                              "https://github.com/ggml-org/llama.cpp/blob/master/tools/mtmd/clip.cpp"};

constexpr std::int64_t kFloat = 4;
constexpr std::int64_t kHalf = 2;
constexpr int kRecords = 88;                 // of 44 encoders, on a device and in host memory
constexpr std::int64_t kBatchTokens = 1024;  // common/common.h, mtmd_batch_max_tokens

/// An encoder whose graph was read (clip.cpp, load_hparams: set_warmup_n_tokens, set_limit_image_tokens).
struct Kind {
  std::array<std::string_view, 2> architectures;  ///< of the model, or
  std::string_view mark;                          ///< in the name of a tensor that only such an encoder has
  std::int64_t warmup_tokens = 0;                 ///< of the image that a server warms up with; 0: one of the encoder's own size
  std::int64_t most_tokens = 0;                   ///< of one image
  std::int64_t merge = 0;                         ///< patches of a side that become one token
  bool is_gated = false;                          ///< its feed-forward blocks have a gate
  bool rotates = false;                           ///< queries and keys are rotated
  bool has_windows = false;                       ///< most of its blocks look at a window, by a mask over all patches
  bool stacks = false;                            ///< what some of its blocks make goes to the language model too (deepstack)
  bool unfolds = false;                           ///< patches are merged by im2col, which the host does
};
constexpr Kind kKinds[] = {
    {{"gemma3"}, ""},
    {{"gemma4"}, "", 256, 1120, 3, true, true},
    {{"qwen2_vl"}, "", 46 * 46, 4096, 2, false, true},
    {{"qwen2_5_vl"}, "", 46 * 46, 4096, 2, true, true, true},
    {{"qwen3_vl", "qwen3_vl_moe"}, "", 46 * 46, 4096, 2, false, true, false, true},
    {{"qwen3_5", "qwen3_5_moe"}, "", 46 * 46, 4096, 2, false, true},
    {{"llama4"}, "", 0, 0, 0, false, true},
    {{}, "multi_modal_projector.patch_merger", 256, 1024, 2, true, true, false, false, true},  // Pixtral as of Mistral Small 3.1
    {{}, "transformer.layers.{layer}.feed_forward", 256, 1024, 1, true, true},                 // Pixtral
    {{}, ".ls1"},                                                                              // InternViT
    {{}, "lambda_1"},                                                                          // the same, as transformers has it
};

bool has_tensor(const Model& model, std::string_view mark) {
  return std::any_of(model.plain.begin(), model.plain.end(),
                     [&](const Tensor& tensor) { return tensor.part == ModelPart::tower && tensor.name.find(mark) != std::string_view::npos; });
}

const Kind* kind_of(const Model& model) {
  const auto is_it = [&](const Kind& kind) {
    if (!kind.mark.empty()) return has_tensor(model, kind.mark);
    return std::find(kind.architectures.begin(), kind.architectures.end(), model.architecture) != kind.architectures.end();
  };
  const auto found = std::find_if(std::begin(kKinds), std::end(kKinds), is_it);
  return found != std::end(kKinds) ? found : nullptr;
}

/// What the converter keeps in 32 bits: vectors, learned positions, and SigLIP's patches (conversion/base.py, V_ENC_EMBD_POS; gemma.py).
bool is_float(const Tensor& tensor) {
  constexpr std::string_view kept[] = {"pos_embed", "position_embedding", "positional_embedding", ".embeddings.patch_embedding"};
  return tensor.cols <= 1 ||
         std::any_of(std::begin(kept), std::end(kept), [&](std::string_view part) { return tensor.name.find(part) != std::string_view::npos; });
}

/// What enters with every patch: its pixels, and where it is.
std::int64_t input_values(const VisionTower& tower) {
  constexpr std::int64_t positions = 4;
  return tower.n_channels * tower.patch_size * tower.patch_size + positions;
}

struct Patches {
  std::int64_t warmup = 0;
  std::int64_t most = 0;
};

Patches patches_of(const Kind& kind, const VisionTower& tower) {
  if (kind.warmup_tokens > 0) return {kind.warmup_tokens * kind.merge * kind.merge, kind.most_tokens * kind.merge * kind.merge};
  const std::int64_t own = tower.patches();
  const std::int64_t images = std::max<std::int64_t>(1, kBatchTokens / std::max<std::int64_t>(1, tower.tokens_per_image));
  return {own, own * images};
}

/// The widest moment of a block, as a row of factors. `flashes`: attention is one operation; else the scores of all heads lie beside the values.
FormulaRow graph_row(bool explain, const Kind& kind, const Model& model, std::int64_t patches, bool flashes) {
  const VisionTower& tower = *model.vision;
  const std::int64_t width = tower.hidden_size;
  // The state that is kept, queries, keys and values, and the rotated queries and keys; without flash attention one of them is gone by then.
  const std::int64_t attention = (kind.rotates && flashes ? 6 : 5) * width + input_values(tower);
  const std::int64_t scores = flashes ? 0 : tower.n_heads * patches;
  // Three states and what lies between the matrices: up, and with a gate the gate and their product too.
  const std::int64_t ffn = kind.is_gated ? 3 * tower.ffn_size + 3 * width + input_values(tower) : tower.ffn_size + 3 * width;
  // The mask of windows in 32 and in 16 bits. Gate and up find room where the first one was.
  const std::int64_t windowed = tower.ffn_size + 4 * width + input_values(tower) + patches + patches / 2;
  const std::int64_t alive = kind.has_windows ? windowed + scores : std::max(attention + scores, ffn);
  const std::int64_t stacked = kind.stacks ? std::max(3 * width, model.hidden_size) : 0;
  return make_row(explain, "encoded_image",
                  {{"values_alive_per_patch", alive}, {"stacked_values", stacked, Op::plus}, {"patches", patches}, {"bytes_per_value", kFloat}});
}

/// What the host keeps of an encoder on a device: the image, and where the device has no flash attention what it was tried with.
FormulaRow host_row(bool explain, const Kind& kind, const VisionTower& tower, std::int64_t patches, bool flashes) {
  const std::int64_t merged = kind.unfolds ? 2 * tower.hidden_size : 0;
  const std::int64_t values = std::max({input_values(tower), merged, flashes ? 0 : 3 * tower.hidden_size}) + (kind.has_windows ? patches : 0);
  return make_row(explain, "encoded_image", {{"values_alive_per_patch", values}, {"patches", patches}, {"bytes_per_value", kFloat}});
}

Term graph_term(bool explain, FormulaRow row, Bytes most) {
  Term term;
  term.id = "projector_compute";
  term.basis = Basis::modelled;
  term.source = kGraphSource;
  term.records = kRecords;
  term.bytes = row.bytes;
  term.low = row.bytes - row.bytes / 10;
  term.high = std::max(row.bytes, most) + std::max(row.bytes, most) / 10;
  if (explain) term.formula.rows.push_back(std::move(row));
  return term;
}

/// Without its graph: the widest matrix of a block and four states, for the patches of an image of its size or 46 x 46 tokens of 2 x 2.
Term bounded_term(const Job& job) {
  constexpr std::int64_t most = std::int64_t{46} * 46 * 4;
  std::int64_t width = 0;
  std::int64_t widest = 0;
  for (const Tensor& tensor : job.model.plain) {
    if (tensor.part != ModelPart::tower || tensor.layers.first < 0 || tensor.cols <= 1) continue;
    if (width == 0 || tensor.cols < width) width = tensor.cols, widest = 0;  // mergers read several states at once
    if (tensor.cols == width) widest = std::max(widest, tensor.rows);
  }
  Term term;
  term.id = "projector_compute";
  term.basis = Basis::modelled;
  term.source = kBoundSource;
  FormulaRow row = make_row(job.explain, "encoded_image",
                            {{"widest", widest},
                             {"hidden_states", 4 * width, Op::plus},
                             {"patches", job.model.vision ? std::min(job.model.vision->patches(), most) : most},
                             {"bytes_per_value", kFloat}});
  term.bytes = row.bytes;
  term.low = row.bytes / 4;
  term.high = row.bytes * 4;  // a larger image, or no flash attention
  if (job.explain) term.formula.rows.push_back(std::move(row));
  return term;
}

}  // namespace

Bytes projector_bytes(const Job& job) {
  Bytes bytes;
  for (const Tensor& tensor : job.model.plain)
    if (tensor.part == ModelPart::tower) bytes += value_of({{"elements", tensor.elements()}, {"bytes_per_value", is_float(tensor) ? kFloat : kHalf}});
  return bytes;
}

void add_projector(const Job& job, const Device* device, std::vector<Term>& terms) {
  const Bytes weights = projector_bytes(job);
  if (!job.scenario.options.llama_cpp.mmproj.value_or(false) || weights == Bytes()) return;
  Term term;
  term.id = "projector";
  term.basis = Basis::modelled;
  term.source = kFileSource;
  term.bytes = weights;
  term.low = weights / 2;   // published as Q8_0 too
  term.high = weights * 2;  // or in 32 bits
  if (job.explain) term.formula.rows.push_back({"encoder", {}, weights, true});
  terms.push_back(std::move(term));
  const Kind* kind = kind_of(job.model);
  if (kind == nullptr || !job.model.vision) return terms.push_back(bounded_term(job));
  const VisionTower& tower = *job.model.vision;
  const Patches patches = patches_of(*kind, tower);
  const bool flashes = device == nullptr || llama_graph::runs_flash_attention(*device, tower.hidden_size / std::max<std::int64_t>(tower.n_heads, 1));
  terms.push_back(graph_term(job.explain, graph_row(job.explain, *kind, job.model, patches.warmup, flashes),
                             graph_row(false, *kind, job.model, patches.most, flashes).bytes));
}

void add_projector_inputs(const Job& job, const Device& device, std::vector<Term>& terms) {
  const Kind* kind = kind_of(job.model);
  if (!job.scenario.options.llama_cpp.mmproj.value_or(false) || kind == nullptr || !job.model.vision || projector_bytes(job) == Bytes()) return;
  const VisionTower& tower = *job.model.vision;
  const Patches patches = patches_of(*kind, tower);
  const bool flashes = llama_graph::runs_flash_attention(device, tower.hidden_size / std::max<std::int64_t>(tower.n_heads, 1));
  terms.push_back(graph_term(job.explain, host_row(job.explain, *kind, tower, patches.warmup, flashes),
                             host_row(false, *kind, tower, patches.most, flashes).bytes));
}

}  // namespace weighbridge::llama_cpp
