// SPDX-License-Identifier: Apache-2.0
#pragma once

// What ExLlamaV2 and ExLlamaV3 do alike: embeddings on the host, layers dealt out to the first GPU that holds them, a cache in pages.
#include <functional>
#include <vector>

#include "engine/layout.hpp"

namespace weighbridge::exllama {

/// Tokens of a page (exllamav3 constants.py PAGE_SIZE; exllamav2 generator/dynamic.py PAGED_PAGE_SIZE).
inline constexpr std::int64_t kPage = 256;
/// Values that share a scale of 16 bits in a quantized cache (exllamav3 cache/quant.py; exllamav2 cache.py shape_s).
inline constexpr std::int64_t kCacheGroup = 32;

[[nodiscard]] constexpr std::int64_t in_pages(std::int64_t tokens) { return ceil_div(tokens, kPage) * kPage; }

/// Bits of a group of cached values with their scale; 16 bits a value are not quantized.
[[nodiscard]] constexpr std::int64_t group_bits(std::int64_t bits) { return kCacheGroup * bits + (bits < 16 ? 16 : 0); }
/// `values` of each of `tokens` in `layers` layers.
[[nodiscard]] FormulaRow cache_row(bool explain, std::string_view label, std::int64_t tokens, std::int64_t values, std::int64_t bits,
                                   std::int64_t layers);
/// Keys and values in one row where they have the same bits.
[[nodiscard]] std::vector<FormulaRow> cache_rows(bool explain, std::int64_t tokens, std::int64_t keys, std::int64_t k_bits, std::int64_t values,
                                                 std::int64_t v_bits, std::int64_t layers);

/// The output head of a model that shares it with the embeddings: converters quantize it apart, since the embeddings stay on the host.
[[nodiscard]] Bytes tied_head(const Job& job);
/// All of `stage` but the embeddings; `share` is the part of a tensor that one device holds.
[[nodiscard]] Term weights_term(const Job& job, const Stage& stage, const Source& source, int records,
                                const std::function<Tensor(const Tensor&)>& share = nullptr);
/// The embeddings, in the host's memory.
[[nodiscard]] Term host_embeddings(const Job& job, const Source& source);
/// The driver's context, cuBLAS's workspace, and what the allocator holds without using it; `moving`: what steps take and give back.
[[nodiscard]] Term overhead_term(const Job& job, const Device& device, Bytes moving, const Source& source);

/// The layers of each device, in the order of the hardware: a GPU that does not take the next module beside what `taken` says is left for good, and
/// what the last one does not hold is counted there. `of_layer`: what a layer takes beside its weights.
[[nodiscard]] std::vector<Stage> deal_out(const Job& job, const std::function<Bytes(const LayerSpec&)>& of_layer,
                                          const std::function<Bytes(const Device&, std::int64_t number)>& taken);
/// A GPU that is fuller than we say takes fewer layers, which go to the next: what its bounds have above its limit is the next one's.
void pass_on_excess(std::vector<DevicePlan>& devices);

/// No NVIDIA GPU, one that is too old, or a layout of other engines.
[[nodiscard]] std::optional<Notice> device_problem(const Scenario& scenario, const std::string& engine, int least_capability);

/// A `cache_size` of less than the workload's `needed` tokens, or not of whole pages (exllamav3 cache/fp16.py; exllamav2 generator/dynamic.py).
[[nodiscard]] std::optional<Notice> cache_size_problem(const Scenario& scenario, std::int64_t needed);

}  // namespace weighbridge::exllama
