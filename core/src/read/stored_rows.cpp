// SPDX-License-Identifier: Apache-2.0
#include "read/stored_rows.hpp"

#include <algorithm>
#include <array>
#include <tuple>

#include "json_text.hpp"
#include "read/tensor_list.hpp"
#include "tensor_names.hpp"

namespace weighbridge {

namespace {

/// A stored tensor's name with its numbers taken out: "model.layers.3.mlp.experts.7.up_proj.weight".
struct Place {
  std::int64_t layer = -1;
  std::string prefix;  ///< up to and with "{layer}."
  std::string name;    ///< within the layer, "{expert}" for the number of an expert
};

/// Replaces the number behind the first `mark` in `name` by `hole`; -1 if there is none.
std::int64_t take_number(std::string& name, std::string_view mark, std::string_view hole) {
  const std::size_t at = name.find(mark);
  if (at == std::string::npos) return -1;
  const std::size_t begin = at + mark.size();
  std::size_t end = begin;
  std::int64_t number = 0;
  constexpr std::size_t most_digits = 6;
  for (; end < name.size() && end - begin < most_digits && name[end] >= '0' && name[end] <= '9'; ++end) number = number * 10 + (name[end] - '0');
  if (end == begin || end == name.size() || name[end] != '.') return -1;
  name.replace(begin, end - begin, hole);
  return number;
}

Place place_of(std::string name) {
  Place place;
  for (const char* mark : {"layers.", "blocks.", "layer.", ".h.", "encoders."})
    if (place.layer < 0) place.layer = take_number(name, mark, "{layer}");
  take_number(name, "experts.", "{expert}");
  constexpr std::string_view mark = "{layer}.";
  const std::size_t at = place.layer < 0 ? std::string::npos : name.find(mark);
  if (at != std::string::npos) {
    place.prefix = name.substr(0, at + mark.size());
    name.erase(0, at + mark.size());
  }
  place.name = std::move(name);
  return place;
}

struct Row {
  Place place;
  const StoredTensor* stored = nullptr;

  [[nodiscard]] auto key() const { return std::tie(place.layer, place.prefix, place.name, stored->type.name, stored->shape); }
};

bool is_tower(std::string_view name) {
  constexpr std::array<std::string_view, 12> kParts{"image_embed.",  "audio_embed.", "vision_tower.",
                                                    "vision_model.", "visual.",      "multi_modal_projector.",
                                                    "mm_projector.", "audio_tower.", "vision_embed_tokens.",
                                                    "embed_vision.", "embed_audio.", "vision_embedder."};
  return std::any_of(kParts.begin(), kParts.end(), [&](std::string_view part) { return name.find(part) != std::string_view::npos; });
}

/// What speaks in Qwen's Omni models.
bool is_speech(std::string_view name) { return name.starts_with("talker.") || name.starts_with("code2wav.") || name.starts_with("token2wav."); }

/// What quantized checkpoints keep beside a matrix. Sources: the state dicts of compressed-tensors, GPTQ, AWQ and the FP8 of DeepSeek-V3.
bool is_scale(std::string_view name) {
  constexpr std::array<std::string_view, 12> kEndings{"_scale", "_scale_inv", "_scale_2",    ".scales",       ".qzeros",       ".g_idx",
                                                      "_shape", "_scales",    "_zero_point", ".weight_g_idx", "_global_scale", ".scale"};
  // Parameters of Gemma 3n and 4 that are called so.
  for (const char* parameter : {"router.scale", "per_expert_scale", "per_dim_scale", "correct_output_scale", "std_scale"})
    if (name.ends_with(parameter)) return false;
  return std::any_of(kEndings.begin(), kEndings.end(), [&](std::string_view ending) { return name.ends_with(ending); });
}

/// What models compute anew, and the bounds that Gemma 4 clips to: stored, but no parameter.
bool is_buffer(std::string_view name) {
  constexpr std::array<std::string_view, 7> kEndings{"rotary_emb.inv_freq", ".position_ids", "attn.masked_bias", ".input_min",
                                                     ".input_max",          ".output_min",   ".output_max"};
  return std::any_of(kEndings.begin(), kEndings.end(), [&](std::string_view ending) { return name.ends_with(ending); });
}

}  // namespace

bool fits(TensorRole role, const LayerSpec& layer) {
  switch (role) {
    case TensorRole::attention_k:
    case TensorRole::attention_v:
      return grouped_attention(layer.mixer) != nullptr;
    case TensorRole::latent_q_down:
    case TensorRole::latent_q_up:
    case TensorRole::latent_kv_down:
    case TensorRole::latent_kv_up:
      return std::holds_alternative<LatentAttention>(layer.mixer);
    case TensorRole::expert_gate_up:
    case TensorRole::expert_down:
      return std::holds_alternative<MoeFfn>(layer.ffn);
    default:
      return true;
  }
}

namespace {

/// More kinds of tensors than any model has: names that only a damaged or hostile file needs.
constexpr std::size_t kMostNames = 5000;

TensorRow row_of(const StoredTensor& stored, std::string_view name, std::int64_t copies) {
  const std::size_t n = stored.shape.size();
  TensorRow row{.name = name, .rows = 1, .cols = 1, .copies = copies, .type = stored.type};
  if (n > 0) row.rows = stored.shape[n == 1 ? 0 : n - 2];
  if (n > 1) row.cols = stored.shape[n - 1];
  for (std::size_t i = 0; i + 2 < n; ++i) row.copies *= stored.shape[i];
  return row;
}

std::vector<Row> sorted_rows(const std::vector<SafetensorsHeader>& headers) {
  std::vector<Row> rows;
  for (const SafetensorsHeader& header : headers)
    for (const StoredTensor& stored : header.tensors) rows.push_back({place_of(stored.name), &stored});
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.key() < b.key(); });
  return rows;
}

bool has_few_names(const std::vector<Row>& rows) {
  std::vector<std::string_view> names;
  names.reserve(rows.size());
  for (const Row& row : rows) names.emplace_back(row.place.name);
  std::sort(names.begin(), names.end());
  return static_cast<std::size_t>(std::unique(names.begin(), names.end()) - names.begin()) <= kMostNames;
}

/// Both lists of names in one table; the views of `plain` and `tensors` are moved to it.
void join_names(const NameTable& stored, Model& model) {
  auto texts = std::make_shared<std::vector<std::string>>();
  for (const NameTable* table : std::array<const NameTable*, 2>{&model.names, &stored})
    if (table->texts) texts->insert(texts->end(), table->texts->begin(), table->texts->end());
  std::sort(texts->begin(), texts->end());
  for (std::vector<Tensor>* list : std::array<std::vector<Tensor>*, 2>{&model.plain, &model.tensors})
    for (Tensor& tensor : *list) tensor.name = *std::lower_bound(texts->begin(), texts->end(), tensor.name);
  model.names.texts = std::move(texts);
}

/// The tensors that the config tells of, by name: what a stored one does is known from there before it is guessed from its name.
class DerivedRows {
 public:
  explicit DerivedRows(const std::vector<Tensor>& plain) {
    for (const Tensor& tensor : plain) rows_.push_back(&tensor);
    std::stable_sort(rows_.begin(), rows_.end(), [](const Tensor* a, const Tensor* b) { return a->name < b->name; });
  }

  /// The one with this name in `layer`, else in any layer; null if the config tells of none.
  [[nodiscard]] const Tensor* find(std::string_view name, std::int64_t layer) const {
    auto at = std::lower_bound(rows_.begin(), rows_.end(), name, [](const Tensor* row, std::string_view wanted) { return row->name < wanted; });
    const Tensor* any = at != rows_.end() && (*at)->name == name ? *at : nullptr;
    for (; at != rows_.end() && (*at)->name == name; ++at)
      if ((*at)->layers.holds(layer)) return *at;
    return any;
  }

  /// All rows with this name in `layer`: the parts of a fused matrix, without its scales.
  [[nodiscard]] std::vector<const Tensor*> in_layer(std::string_view name, std::int64_t layer) const {
    std::vector<const Tensor*> found;
    auto at = std::lower_bound(rows_.begin(), rows_.end(), name, [](const Tensor* row, std::string_view wanted) { return row->name < wanted; });
    for (; at != rows_.end() && (*at)->name == name; ++at)
      if ((*at)->layers.holds(layer) && !(*at)->is_scale) found.push_back(*at);
    return found;
  }

 private:
  std::vector<const Tensor*> rows_;
};

/// The name of the matrix whose values are stored as `name`. Sources: as for is_scale(), and openai/gpt-oss-20b's "_blocks".
std::string matrix_of(std::string_view name) {
  struct Ending {
    std::string_view stored;
    std::string_view plain;
  };
  constexpr std::array kEndings{Ending{".qweight", ".weight"}, Ending{".weight_packed", ".weight"}, Ending{"_packed", ""}, Ending{"_blocks", ""}};
  for (const Ending& ending : kEndings)
    if (name.ends_with(ending.stored)) return std::string(name.substr(0, name.size() - ending.stored.size())) + std::string(ending.plain);
  return std::string(name);
}

bool holds_words(DType type) { return is_any_of(type.name, {"int8", "uint8", "int16", "int32", "uint32", "int64"}); }

/// Packed words count as the values that config.json says they hold, if those take as many bytes in a layer; its matrix then tells the shape.
const Tensor* unpack(const DerivedRows& described, std::string_view name, std::int64_t layer, TensorRow& row) {
  if (!row.type || !holds_words(*row.type)) return nullptr;
  const std::vector<const Tensor*> parts = described.in_layer(matrix_of(name), layer);
  if (parts.empty() || parts.front()->type.block_size == 1) return nullptr;
  Bytes bytes;
  std::int64_t rows = 0;
  for (const Tensor* part : parts) {
    if (!(part->type == parts.front()->type) || part->cols != parts.front()->cols || part->per_layer != parts.front()->per_layer) return nullptr;
    bytes += part->bytes() / static_cast<std::uint64_t>(part->layers.count);
    rows += part->rows;
  }
  if (bytes != size_of(*row.type, row.rows * row.cols * row.copies)) return nullptr;
  row.rows = rows;
  row.cols = parts.front()->cols;
  row.copies = parts.front()->per_layer;
  row.type = parts.front()->type;
  return parts.front();
}

void finish_row(const Model& model, const DerivedRows& derived, Tensor& tensor) {
  const Tensor* known = derived.find(tensor.name, tensor.layers.first);
  tensor.is_scale = known == nullptr && is_scale(tensor.name);
  tensor.is_copy = known != nullptr ? known->is_copy : (model.tied_embeddings && tensor.role == TensorRole::output_head) || is_buffer(tensor.name);
  if (tensor.part == ModelPart::tower || tensor.part == ModelPart::speech || tensor.layers.first < 0) return;
  const auto n_layers = static_cast<std::int64_t>(model.layers.size());
  for (std::int64_t i = 0; i < tensor.layers.count; ++i) {
    const std::int64_t layer = tensor.layers.at(i);
    const LayerSpec& spec = layer < n_layers ? model.layers[static_cast<std::size_t>(layer)]
                                             : model.mtp_layers[static_cast<std::size_t>(layer - n_layers)];
    if (!fits(tensor.role, spec)) tensor.role = TensorRole::projection;
  }
}

}  // namespace

bool store_tensors(const std::vector<SafetensorsHeader>& headers, Model& model) {
  const std::vector<Row> rows = sorted_rows(headers);
  if (!has_few_names(rows)) return false;
  const auto n_layers = static_cast<std::int64_t>(model.layers.size());
  const std::int64_t n_known = n_layers + static_cast<std::int64_t>(model.mtp_layers.size());
  const DerivedRows derived(model.plain);
  const DerivedRows described(model.tensors);
  TensorList list(model.base);
  for (std::size_t i = 0, end = 0; i < rows.size(); i = end) {
    const Row& row = rows[i];
    while (end < rows.size() && rows[end].key() == row.key()) ++end;
    const std::string whole = row.place.prefix + row.place.name;
    const Tensor* known = derived.find(whole, row.place.layer);
    const bool speech = known != nullptr ? known->part == ModelPart::speech : is_speech(whole);
    const bool tower = known != nullptr ? known->part == ModelPart::tower : !speech && is_tower(whole);
    const bool mtp = known != nullptr ? known->part == ModelPart::mtp : !speech && row.place.layer >= n_layers && row.place.layer < n_known;
    // Some number the layers of the prediction from 0 again: "mtp.layers.0".
    const std::int64_t layer = row.place.layer + (mtp && row.place.layer >= 0 && row.place.layer < n_layers ? n_layers : 0);
    const bool in_layer = layer >= 0 && (tower || speech || layer < n_known);
    list.part(speech ? ModelPart::speech : tower ? ModelPart::tower : mtp ? ModelPart::mtp : ModelPart::text);
    in_layer ? list.at_layer(layer, row.place.prefix) : list.outside();
    TensorRow added = row_of(*row.stored, in_layer ? std::string_view(row.place.name) : std::string_view(whole), static_cast<std::int64_t>(end - i));
    if (known != nullptr) added.role = known->role;
    if (const Tensor* matrix = unpack(described, whole, in_layer ? layer : -1, added)) added.role = matrix->role;
    list.add(added);
  }
  Model stored;
  std::move(list).finish(stored);
  model.tensors = std::move(stored.plain);
  join_names(stored.names, model);
  const DerivedRows moved(model.plain);
  for (Tensor& tensor : model.tensors) finish_row(model, moved, tensor);
  return true;
}

}  // namespace weighbridge
