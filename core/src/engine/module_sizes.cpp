// SPDX-License-Identifier: Apache-2.0
#include "engine/module_sizes.hpp"

namespace weighbridge {

namespace {

/// The module that `tensor` belongs to, outside the layers.
std::size_t outer_module(const Tensor& tensor, std::size_t last) {
  const bool is_head = tensor.role == TensorRole::output_head || tensor.role == TensorRole::norm;
  return is_head && tensor.part == ModelPart::text ? last : 0;
}

ModuleSizes measure(const Job& job) {
  const std::int64_t layers = job.model.n_layers();
  ModuleSizes sizes;
  sizes.bytes.resize(static_cast<std::size_t>(layers) + 2);
  for (const Tensor& tensor : job.tensors) {
    if (tensor.part == ModelPart::mtp || tensor.is_copy) continue;
    if (tensor.part != ModelPart::text || tensor.layers.first < 0) {
      sizes.bytes[outer_module(tensor, sizes.bytes.size() - 1)] += tensor.bytes();
      continue;
    }
    const Bytes of_one = tensor.bytes() / static_cast<std::uint64_t>(tensor.layers.count);
    for (std::int64_t i = 0; i < tensor.layers.count; ++i)
      if (tensor.layers.at(i) < layers) sizes.bytes[static_cast<std::size_t>(tensor.layers.at(i)) + 1] += of_one;
  }
  return sizes;
}

}  // namespace

const ModuleSizes& module_sizes(const Job& job, ModuleSizes& scratch) {
  if (job.memo == nullptr) return scratch = measure(job);
  if (!job.memo->loads) job.memo->loads = std::make_shared<const ModuleSizes>(measure(job));
  return *static_cast<const ModuleSizes*>(job.memo->loads.get());
}

}  // namespace weighbridge
