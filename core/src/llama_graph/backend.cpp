// SPDX-License-Identifier: Apache-2.0
#include "llama_graph/backend.hpp"

#include <algorithm>
#include <initializer_list>

namespace weighbridge::llama_graph {

namespace {

constexpr std::uint64_t kHostAlignment = 32;     // ggml-backend-impl.h, TENSOR_ALIGNMENT
constexpr std::uint64_t kDeviceAlignment = 128;  // ggml-cuda.cu, ggml_backend_cuda_buffer_type_get_alignment
constexpr std::int64_t kRowPadding = 512;        // ggml-cuda.cu, MATRIX_ROW_PADDING
constexpr std::int64_t kOffloadBatch = 32;       // ggml-cuda.cu, GGML_OP_OFFLOAD_MIN_BATCH
constexpr std::int64_t kAttentionStride = 256;   // fattn-common.cuh, FATTN_KQ_STRIDE
constexpr std::uint64_t kStrideUnit = 16;        // fattn.cu: strides that the grouped kernels need, bytes

bool is_any_of(Type type, std::initializer_list<Type> types) { return std::find(types.begin(), types.end(), type) != types.end(); }

/// fattn.cu, ggml_cuda_get_best_fattn_kernel: several query heads of one key head at once.
bool groups_queries(const Node& node) {
  const Node* mask = node.src[3];
  const Node& keys = *node.src[1];
  if (node.src[0]->ne[2] / keys.ne[2] < 2 || mask == nullptr || keys.ne[1] % kAttentionStride != 0) return false;
  for (std::size_t i = 0; i < 4; ++i) {
    const Node* source = node.src[i];
    if (is_quantized(source->type)) continue;
    for (std::size_t axis = 1; axis < 4; ++axis)
      if (source->nb[axis] % kStrideUnit != 0) return false;
  }
  return true;
}

/// fattn.cu, ggml_cuda_get_best_fattn_kernel: whether there is a kernel for these heads and types.
bool has_attention_kernel(const Node& node) {
  const Node& keys = *node.src[1];
  const Node& values = *node.src[2];
  const std::int64_t ratio = node.src[0]->ne[2] / keys.ne[2];
  const auto runs = [&](std::int64_t value_head, std::int64_t multiple) {
    return values.ne[0] == value_head && groups_queries(node) && ratio % multiple == 0;
  };
  bool runs_heads = false;
  switch (keys.ne[0]) {
    case 40:
    case 64:
    case 72:
    case 80:
    case 96:
    case 112:
    case 128:
    case 256:
      runs_heads = values.ne[0] == keys.ne[0];
      break;
    case 192:
      runs_heads = runs(128, 8);
      break;
    case 320:
      runs_heads = runs(256, 32);
      break;
    case 512:
      runs_heads = runs(512, 1);
      break;
    case 576:
      runs_heads = runs(512, 1);
      break;
    default:
      break;
  }
  const auto runs_type = [](Type type) {
    return is_any_of(type, {dtype::f32, dtype::f16, dtype::bf16, dtype::q4_0, dtype::q4_1, dtype::q5_0, dtype::q5_1, dtype::q8_0});
  };
  return runs_heads && runs_type(keys.type) && runs_type(values.type);
}

/// fattn-common.cuh, ggml_cuda_flash_attn_ext_get_f16_extra_data: the kernels of batches read keys and values as f16, made behind the result.
std::uint64_t attention_bytes(const Node& node) {
  constexpr std::uint64_t half = 2;
  const Node& keys = *node.src[1];
  const Node& values = *node.src[2];
  std::uint64_t size = node.bytes();
  if (!has_attention_kernel(node)) return size;
  const auto append = [&](const Node& tensor) {
    size = (size + kDeviceAlignment - 1) / kDeviceAlignment * kDeviceAlignment + half * static_cast<std::uint64_t>(tensor.elements());
  };
  const bool is_one = values.view_src != nullptr && values.view_src == keys.view_src && values.view_offset == keys.view_offset;
  if (!(keys.type == dtype::f16)) append(keys);
  if (!(values.type == dtype::f16) && !is_one) append(values);
  return size;
}

bool is_any_block(Type type) { return is_any_of(type, {dtype::q8_0, dtype::q4_0, dtype::q4_1, dtype::q5_0, dtype::q5_1}); }

bool copies_type(Type from, Type to) {
  const auto is_float = [](Type type) { return is_any_of(type, {dtype::f32, dtype::f16, dtype::bf16}); };
  if (is_float(from) && is_float(to)) return true;
  if (from == dtype::f32 && (is_any_block(to) || to == dtype::iq4_nl || to == dtype::int32)) return true;
  return to == dtype::f32 && (is_any_block(from) || from == dtype::int32);
}

bool multiplies(const Node& node) {
  const Node& a = *node.src[0];
  const Node& b = *node.src[1];
  if (a.nb[0] != static_cast<std::uint64_t>(a.type.block_bytes) || b.nb[0] != static_cast<std::uint64_t>(b.type.block_bytes)) return false;
  if (b.type == dtype::f16 && !(a.type == dtype::f16)) return false;
  return !is_any_of(a.type, {dtype::tq1_0, dtype::tq2_0, dtype::nvfp4, dtype::q8_k});
}

/// lightning-indexer.cu, ggml_cuda_lightning_indexer_supported
bool runs_indexer(const Node& node) {
  const Node& q = *node.src[0];
  const Node& k = *node.src[1];
  if (q.ne[0] != 128 || (q.ne[1] != 64 && q.ne[1] != 32)) return false;
  if (is_any_block(k.type)) return true;
  if (!is_any_of(k.type, {dtype::f32, dtype::bf16, dtype::f16})) return false;
  for (std::size_t i = 1; i < 4; ++i)
    if (q.nb[i] % kStrideUnit != 0 || k.nb[i] % kStrideUnit != 0) return false;
  return true;
}

/// ggml-cuda.cu, ggml_backend_cuda_device_supports_op: what differs from "yes" for the operations of language models.
bool cuda_supports(const Node& node) {
  const Node* a = node.src[0];
  switch (node.op) {
    case Op::mul_mat:
      return multiplies(node);
    case Op::mul_mat_id:
      return multiplies(node) && !node.is_precise;
    case Op::unary:
      return a->is_contiguous();
    case Op::flash_attn_ext:
      return has_attention_kernel(node);
    case Op::get_rows:
      return !is_any_of(a->type, {dtype::tq1_0, dtype::tq2_0, dtype::nvfp4}) &&
             (!is_any_of(a->type, {dtype::iq4_nl, dtype::mxfp4}) || a->ne[0] % 256 == 0);
    case Op::set_rows:
      return (a->type == dtype::f32 && is_any_of(node.type, {dtype::f32, dtype::f16, dtype::bf16, dtype::q4_0, dtype::q4_1, dtype::q5_0, dtype::q5_1,
                                                             dtype::q8_0, dtype::iq4_nl})) ||
             (a->type == dtype::f16 && node.type == dtype::f16);
    case Op::cpy:
      return copies_type(a->type, node.src[1]->type) || (a->type == node.src[1]->type && a->is_contiguous() && node.src[1]->is_contiguous());
    case Op::repeat:
      return is_any_of(a->type, {dtype::f32, dtype::f16});
    case Op::ssm_scan:  // Mamba-2: states of 128 or 256 and heads of a multiple of 16; Mamba: states of 16, one element a head
      if (node.src[3]->ne[0] == 1) return (a->ne[0] == 128 || a->ne[0] == 256) && a->ne[1] % 16 == 0;
      return a->ne[0] == 16 && a->ne[1] == 1 && a->ne[2] % 128 == 0 && node.src[4]->ne[1] == 1;
    case Op::ssm_conv:
      return a->ne[1] % 128 == 0;
    case Op::lightning_indexer:
      return runs_indexer(node);
    default:
      return true;
  }
}

/// ggml-vulkan.cpp, ggml_backend_vk_device_supports_op: any head that eights divide, on a device that shuffles in subgroups.
bool vulkan_attends(const Node& node) {
  const Node& keys = *node.src[1];
  const Node& values = *node.src[2];
  const auto runs = [](Type type) { return is_any_block(type) || is_any_of(type, {dtype::f32, dtype::f16, dtype::bf16, dtype::iq4_nl}); };
  if (keys.ne[0] % 8 != 0 || values.ne[0] % 8 != 0 || (keys.type == dtype::bf16) != (values.type == dtype::bf16)) return false;
  return runs(keys.type) && runs(values.type);
}

}  // namespace

/// ggml-metal.cpp: 32, as the host's. Vulkan's is the device's (minStorageBufferOffsetAlignment), at most 256 and mostly less than CUDA's.
std::uint64_t Backend::alignment() const { return kind == BackendKind::host || kind == BackendKind::metal ? kHostAlignment : kDeviceAlignment; }

bool Backend::supports(const Node& node) const {
  switch (kind) {
    case BackendKind::host:
      return true;
    case BackendKind::metal:
      return metal_supports(node);
    case BackendKind::vulkan:
      return node.op == Op::flash_attn_ext ? vulkan_attends(node) : cuda_supports(node);
    case BackendKind::cuda:
      break;
  }
  return cuda_supports(node);
}

bool Backend::wants(const Node& node) const {
  // ggml-metal.cpp, ggml_backend_metal_device_offload_op: products only.
  if (kind == BackendKind::metal && node.op != Op::mul_mat && node.op != Op::mul_mat_id) return false;
  switch (node.op) {
    case Op::get_rows:
      return false;
    case Op::mul_mat:
      return node.ne[1] >= kOffloadBatch;
    case Op::mul_mat_id:
    case Op::rope:
      return node.ne[2] >= kOffloadBatch;
    default:
      return node.rows() >= kOffloadBatch;
  }
}

std::uint64_t Backend::alloc_size(const Node& tensor) const {
  if (kind == BackendKind::metal) return metal_bytes(tensor);
  if (kind != BackendKind::cuda) return tensor.bytes();  // ggml-vulkan.cpp, ggml_backend_vk_buffer_type_get_alloc_size
  std::uint64_t size = tensor.op == Op::flash_attn_ext ? attention_bytes(tensor) : tensor.bytes();
  if (is_quantized(tensor.type) && tensor.ne[0] % kRowPadding != 0) size += row_bytes(tensor.type, kRowPadding - tensor.ne[0] % kRowPadding);
  return size;
}

}  // namespace weighbridge::llama_graph
