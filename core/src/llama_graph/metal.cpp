// SPDX-License-Identifier: Apache-2.0
// What Metal runs, and what its operations need beside their results: ggml-org/llama.cpp v0.5.0 ggml/src/ggml-metal, ggml_metal_device_supports_op
// (ggml-metal-device.m), ggml_backend_metal_buffer_type_get_alloc_size (ggml-metal.cpp) and the sizes it adds up (ggml-metal-ops.cpp). Apple's own
// chips are meant: all of them multiply matrices in SIMD groups and know bfloat.
#include <algorithm>
#include <initializer_list>

#include "llama_graph/backend.hpp"

namespace weighbridge::llama_graph {

namespace {

constexpr std::uint64_t kInt = 4;
constexpr std::uint64_t kFloat = 4;
constexpr std::uint64_t kHalf = 2;

bool is_any_of(Type type, std::initializer_list<Type> types) { return std::find(types.begin(), types.end(), type) != types.end(); }

bool is_block(Type type) { return is_any_of(type, {dtype::q8_0, dtype::q4_0, dtype::q4_1, dtype::q5_0, dtype::q5_1}); }
bool is_float(Type type) { return is_any_of(type, {dtype::f32, dtype::f16, dtype::bf16}); }

std::uint64_t padded(std::uint64_t bytes, std::uint64_t to) { return (bytes + to - 1) / to * to; }
std::uint64_t count(std::int64_t n) { return static_cast<std::uint64_t>(n); }
std::int64_t ceil_of(std::int64_t n, std::int64_t by) { return (n + by - 1) / by; }
/// Elements behind the first two dimensions.
std::uint64_t planes(const Node& node) { return count(node.ne[2] * node.ne[3]); }

bool runs_attention(const Node& node) {
  constexpr std::int64_t heads[] = {32, 40, 48, 64, 72, 80, 96, 112, 128, 192, 256, 320, 512, 576};
  const Node& keys = *node.src[1];
  const Node& values = *node.src[2];
  if (std::find(std::begin(heads), std::end(heads), node.src[0]->ne[0]) == std::end(heads)) return false;
  if (keys.ne[0] < values.ne[0] || (keys.ne[0] == 72 && values.ne[0] != 72)) return false;
  return keys.type == values.type && (is_float(keys.type) || is_block(keys.type));
}

bool copies(Type from, Type to) {
  if (from == dtype::f32) return is_float(to) || is_block(to) || to == dtype::iq4_nl || to == dtype::int32;
  if (from == dtype::f16) return is_any_of(to, {dtype::f32, dtype::f16});
  if (from == dtype::bf16) return is_any_of(to, {dtype::f32, dtype::bf16});
  if (from == dtype::int32) return is_any_of(to, {dtype::f32, dtype::int32});
  return is_block(from) && is_any_of(to, {dtype::f32, dtype::f16});
}

bool runs_indexer(const Node& node) {
  constexpr std::int64_t head = 128;
  constexpr std::int64_t heads = 64;
  const Type keys = node.src[1]->type;
  return node.src[0]->ne[0] == head && node.src[0]->ne[1] == heads && (is_float(keys) || is_block(keys));
}

/// Room for a tail of keys, values and mask, a map of the mask's empty blocks, partial results of 32 groups, and all keys and values in 16 bits: that
/// is set aside whatever their type is ("always reserve the temp buffer to avoid graph reallocations").
std::uint64_t attention_bytes(const Node& node) {
  constexpr std::uint64_t cells_at_once = 64;   // OP_FLASH_ATTN_EXT_NCPSG
  constexpr std::int64_t queries_at_once = 8;   // OP_FLASH_ATTN_EXT_NQPSG
  constexpr std::int64_t vector_batch = 20;     // ggml_metal_op_flash_attn_ext_use_vec
  constexpr std::int64_t unpacking_batch = 32;  // ggml_metal_op_flash_attn_ext_use_kv_f16
  constexpr std::uint64_t groups = 32;
  const Node& q = *node.src[0];
  const Node& k = *node.src[1];
  const Node& v = *node.src[2];
  const Node* mask = node.src[3];
  const bool unpacks = q.ne[1] >= unpacking_batch && is_block(k.type);
  const bool is_one = v.view_src != nullptr && (v.view_src == &k || (v.view_src == k.view_src && v.view_offset == k.view_offset));
  const std::uint64_t key_row = unpacks ? kHalf * count(k.ne[0]) : k.nb[1];
  const std::uint64_t value_row = unpacks ? kHalf * count(is_one ? k.ne[0] : v.ne[0]) : v.nb[1];
  std::uint64_t bytes = cells_at_once * (key_row * planes(k) + value_row * planes(v));
  if (mask != nullptr) {
    const bool is_vector = q.ne[1] < vector_batch && q.ne[0] % 32 == 0;
    const std::uint64_t rows = is_vector ? count(q.ne[1]) : count(ceil_of(q.ne[1], queries_at_once));
    const std::uint64_t columns = count(ceil_of(mask->ne[0], is_vector ? 32 : static_cast<std::int64_t>(cells_at_once)));
    bytes += cells_at_once * kHalf * count(mask->ne[1]) * planes(*mask) + padded(columns * rows * planes(*mask), 32);
  }
  bytes += kFloat * count(std::min<std::int64_t>(q.ne[1], 32)) * planes(q) * groups * (count(v.ne[0]) + 2);
  bytes += padded(kHalf * count(k.elements()), 16) + (is_one ? 0 : padded(kHalf * count(v.elements()), 16));
  return bytes;
}

/// Tokens of each expert, and the scales of the experts' inputs.
std::uint64_t expert_bytes(const Node& node) {
  constexpr std::uint64_t scales = 8 + 256 * kFloat;  // N_MM_NPART_AMAX
  const std::uint64_t experts = count(node.src[0]->ne[2]);
  return kInt * experts + kInt * experts * count(node.src[2]->ne[1]) + scales;
}

}  // namespace

bool metal_supports(const Node& node) {
  const Node* a = node.src[0];
  switch (node.op) {
    case Op::mul_mat:
    case Op::mul_mat_id:
    case Op::get_rows:
      return !is_any_of(a->type, {dtype::nvfp4, dtype::tq1_0});
    case Op::set_rows:
      if (a->type == dtype::f16) return node.type == dtype::f16;
      return a->type == dtype::f32 && (is_float(node.type) || is_block(node.type) || node.type == dtype::iq4_nl);
    case Op::cpy:
    case Op::cont:
      return copies(a->type, node.type);
    case Op::flash_attn_ext:
      return runs_attention(node);
    case Op::lightning_indexer:
      return runs_indexer(node);
    case Op::gated_delta_net:
      return node.src[2]->ne[0] % 32 == 0;
    default:
      return true;
  }
}

std::uint64_t metal_bytes(const Node& tensor) {
  switch (tensor.op) {
    case Op::mul_mat_id:
      return tensor.bytes() + expert_bytes(tensor);
    case Op::flash_attn_ext:
      return tensor.bytes() + attention_bytes(tensor);
    case Op::cumsum:
    case Op::argsort:
      return 2 * tensor.bytes();
    case Op::top_k:
      return 2 * kInt * count(tensor.src[0]->elements());
    default:
      return tensor.bytes();
  }
}

}  // namespace weighbridge::llama_graph
