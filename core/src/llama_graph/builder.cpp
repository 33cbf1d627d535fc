// SPDX-License-Identifier: Apache-2.0
#include "llama_graph/builder.hpp"

#include <algorithm>
#include <map>

#include "json_text.hpp"

namespace weighbridge::llama_graph {

namespace {

/// "exp_probs_b.bias" is called so in the files, "exp_probs_b" by some converters.
bool has_name(const Tensor& tensor, std::string_view name) {
  constexpr std::string_view bias = ".bias";
  const std::size_t longer = tensor.name.size() - name.size();
  if (longer != 0 && longer != bias.size()) return false;  // nearly all, without a look at the letters
  return tensor.name.starts_with(name) && (longer == 0 || tensor.name.ends_with(bias));
}

constexpr std::int64_t kAnyBlock = 256;  // a multiple of every block: what tells the sizes of types apart

constexpr std::int64_t kFewTokens = 32;  // src/llama-context.cpp, graph_get_cb

}  // namespace

bool unfolds_latents(const std::vector<Tensor>& tensors) {
  return std::any_of(tensors.begin(), tensors.end(), [](const Tensor& tensor) { return has_name(tensor, "attn_kv_b"); });
}

Builder::Builder(const Job& job, const llama_cpp::Settings& s, const llama_cpp::Placement& placement, bool is_of_one, Detail detail, Arena& arena)
    : graph(arena), model(job.model), settings(s), placement_(placement), job_(job), loaded_(job.tensors.size(), nullptr), detail_(detail) {
  n_seqs = is_of_one ? 1 : s.n_seq_max;
  n_tokens = ceil_div(s.n_ubatch, n_seqs) * n_seqs;
  n_outputs = s.n_outputs;
  pins_norms_ = n_tokens < kFewTokens || s.offloads_all;
  // Rows stand by layer, those outside the layers first.
  first_row_.assign(model.layers.size() + 2, job.tensors.size());
  for (std::size_t row = job.tensors.size(); row-- > 0;)
    if (const std::int64_t at = job.tensors[row].layers.first; at < model.n_layers()) first_row_[static_cast<std::size_t>(at + 1)] = row;
  for (std::size_t layer = first_row_.size() - 1; layer-- > 0;) first_row_[layer] = std::min(first_row_[layer], first_row_[layer + 1]);
}

void Builder::add_copied(int il, std::vector<std::int64_t>& likeness) const {
  const bool is_on_host = backend_of(il) == host();
  const bool may_lie_elsewhere = !placement_.moved.empty() || llama_cpp::experts_stay(job_, il);
  if (host() == 0 || (!is_on_host && !may_lie_elsewhere)) return;
  const std::size_t last = first_row_[static_cast<std::size_t>(il + 2)];
  for (std::size_t row = first_row_[static_cast<std::size_t>(il + 1)]; row < last; ++row) {
    const Tensor& tensor = job_.tensors[row];
    const int buffer = may_lie_elsewhere ? buffer_of(tensor) : host();
    likeness.push_back(buffer);
    if (buffer == host()) likeness.push_back(static_cast<std::int64_t>(row_bytes(tensor.type, kAnyBlock)));
  }
}

std::vector<int> Builder::kinds_of(const std::vector<int>& forms) const {
  std::vector<int> kinds(forms.size());
  if (detail_ == Detail::all_layers) return kinds;
  std::shared_ptr<const void> own;
  std::shared_ptr<const void>& known = job_.memo != nullptr ? job_.memo->kinds : own;
  if (known == nullptr) known = std::make_shared<const std::vector<int>>(layer_kinds(job_));
  const auto& alone = *static_cast<const std::vector<int>*>(known.get());
  const auto at = [](int layer) { return static_cast<std::size_t>(layer); };
  std::map<std::vector<std::int64_t>, int> known_kinds;
  for (int il = 0; il < n_layers(); ++il) {
    const int owner = cache_layer(il);
    const bool is_inner = il > 0 && il + 1 < n_layers();
    std::vector<std::int64_t> likeness{is_inner ? kNowhere : il, alone[at(il)], forms[at(il)], backend_of(il), cache_buffer(owner), alone[at(owner)]};
    add_copied(il, likeness);
    kinds[at(il)] = known_kinds.emplace(std::move(likeness), static_cast<int>(known_kinds.size())).first->second;
  }
  return kinds;
}

int Builder::backend_of(int il) const {
  const int device = placement_.layer_device[static_cast<std::size_t>(il)];
  return device == llama_cpp::Placement::kHost ? host() : device;
}

void Builder::pin_nodes() const {
  for (const Pin& pin : pins_) pin.node->backend = pin.backend;
}

bool Builder::is_as_run() const {
  return std::all_of(pins_.begin(), pins_.end(), [](const Pin& pin) { return pin.node->backend == pin.backend; });
}

int Builder::buffer_of(const Tensor& tensor) const {
  const int place = llama_cpp::place_of(job_, placement_, static_cast<std::size_t>(&tensor - job_.tensors.data()));
  return place == llama_cpp::Placement::kHost ? host() : place;
}

const Tensor* Builder::find(std::string_view name, int il, bool is_matrix, int index) const {
  const std::size_t first = first_row_[static_cast<std::size_t>(il + 1)];
  const std::size_t last = first_row_[static_cast<std::size_t>(il + 2)];
  for (std::size_t row = first; row < last; ++row) {
    const Tensor& tensor = job_.tensors[row];
    if ((tensor.cols > 1) == is_matrix && tensor.part == ModelPart::text && has_name(tensor, name) && index-- == 0) return &tensor;
  }
  return nullptr;
}

Node* Builder::load(const Tensor& tensor, int il) {
  Node*& node = loaded_[static_cast<std::size_t>(&tensor - job_.tensors.data())];
  if (node == nullptr) {
    const Shape ne = tensor.cols > 1 ? Shape{tensor.cols, tensor.rows, tensor.per_layer, 1} : Shape{tensor.rows, tensor.per_layer, 1, 1};
    node = graph.stored(tensor.type, ne, buffer_of(tensor), il, true);
  }
  return node;
}

Node* Builder::matrix(std::string_view name, int il) {
  if (const Tensor* tensor = find(name, il, true, 0)) return load(*tensor, il);
  const Tensor* embedding = name == "output" ? find("token_embd", kNowhere, true, 0) : nullptr;
  if (embedding == nullptr) return nullptr;
  // Tied: on the host both are one tensor, a device has a copy. A rule that moves the one moves the other.
  const bool is_moved = !placement_.moved.empty() &&
                        placement_.moved[static_cast<std::size_t>(embedding - job_.tensors.data())] != llama_cpp::Placement::kUnmoved;
  const bool is_one = is_moved || placement_.output_device == llama_cpp::Placement::kHost;
  if (is_one || llama_cpp::tied_head(job_) == llama_cpp::TiedHead::none) return load(*embedding, kNowhere);
  if (tied_output_ == nullptr)
    tied_output_ = graph.stored(embedding->type, {embedding->cols, embedding->rows, 1, 1}, placement_.output_device, kNowhere, true);
  return tied_output_;
}

Node* Builder::vector(std::string_view name, int il, int index) {
  const Tensor* tensor = find(name, il, false, index);
  return tensor == nullptr ? nullptr : load(*tensor, il);
}

Node* Builder::parameter(std::string_view name, int il) {
  Node* found = vector(name, il);
  return found != nullptr ? found : matrix(name, il);
}

Node* Builder::rope_factors(int il) {
  const auto backend = static_cast<std::size_t>(backend_of(il));
  if (rope_factors_.empty()) rope_factors_.resize(static_cast<std::size_t>(host()) + 1, nullptr);
  Node*& factors = rope_factors_[backend];
  if (factors != nullptr) return factors;
  // Where the context is longer than the model was trained for at first, the long factors; both tables have one size.
  for (const std::string_view name : {"rope_freqs", "rope_factors_long"})
    if (const Tensor* tensor = find(name, kNowhere, false, 0))
      factors = graph.stored(tensor->type, {tensor->rows, 1, 1, 1}, backend_of(il), il, true);
  return factors;
}

Node* Builder::embed(bool scaled, std::int64_t parts) {
  Node* tokens = graph.input(dtype::int32, {n_tokens, 1, 1, 1});
  Node* state = graph.get_rows(matrix("token_embd", kNowhere), tokens);
  if (parts > 1) state = graph.pad(state, {(parts - 1) * model.hidden_size, 0, 0, 0});
  graph.expand(state);
  // The batch may bring embeddings instead of tokens: room is made for both.
  graph.expand(graph.input(dtype::f32, state->ne));
  if (parts > 1) state = graph.view_2d(state, model.hidden_size, n_tokens, state->nb[1], 0);
  if (scaled) state = graph.scale(state);
  graph.expand(state);
  return state;
}

Node* Builder::draft_input(int il) {
  Node* tokens = graph.input(dtype::int32, {n_tokens, 1, 1, 1});
  Node* own_table = matrix("nextn.embed_tokens", il);
  Node* embedded = graph.get_rows(own_table != nullptr ? own_table : matrix("token_embd", kNowhere), tokens);
  Node* state = norm(graph.input(dtype::f32, {model.hidden_size, n_tokens, 1, 1}), "nextn.hnorm", il);
  return graph.mul_mat(matrix("nextn.eh_proj", il), graph.concat(norm(embedded, "nextn.enorm", il), state, 0));
}

Node* Builder::draft_norm(Node* state, int il) {
  Node* own = vector("nextn.shared_head_norm", il);
  return graph.mul(graph.same(Op::rms_norm, state), own != nullptr ? own : vector("output_norm", kNowhere));
}

Node* Builder::draft_head(int il) {
  Node* own = matrix("nextn.shared_head_head", il);
  return own != nullptr ? own : matrix("output", kNowhere);
}

Node* Builder::positions(std::int64_t per_token) { return graph.input(dtype::int32, {n_tokens * per_token, 1, 1, 1}); }

Node* Builder::output_ids() { return graph.input(dtype::int32, {n_outputs, 1, 1, 1}); }

Node* Builder::norm(Node* a, std::string_view name, int il, NormKind kind) {
  Node* weight = vector(name, il, 0);
  Node* bias = vector(name, il, 1);
  if (weight == nullptr) weight = matrix(name, il);  // of every head its own
  Node* result = graph.same(kind == NormKind::rms ? Op::rms_norm : Op::norm, a);
  if (weight != nullptr && il != kNowhere && pins_norms_) pin(result, backend_of(il));
  if (weight != nullptr) result = graph.mul(result, weight);
  if (bias != nullptr) result = graph.add(result, bias);
  return result;
}

Node* Builder::apply(const Linear& linear, Node* a) {
  Node* result = graph.mul_mat(linear.matrix, a);
  return linear.bias != nullptr ? graph.add(result, linear.bias) : result;
}

void Builder::pool(Node* state) {
  Node* pooled = state;
  if (settings.pooling == PoolingType::mean)
    pooled = graph.mul_mat(graph.cont(graph.transpose(state)), graph.input(dtype::f32, {n_tokens, n_seqs, 1, 1}));
  if (settings.pooling == PoolingType::cls || settings.pooling == PoolingType::last)
    pooled = graph.get_rows(state, graph.input(dtype::int32, {n_seqs, 1, 1, 1}));
  pooled->is_output = true;
  graph.expand(pooled);
}

void Builder::finish(Node* state, Node* logits) {
  if (state != nullptr) state->is_output = true;
  if (logits != nullptr) logits->is_output = true;
  graph.expand(logits != nullptr ? logits : state);
  if (settings.embeddings && state != nullptr) pool(state);
}

}  // namespace weighbridge::llama_graph
