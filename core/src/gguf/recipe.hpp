// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "weighbridge/ggml_type.hpp"

namespace weighbridge::gguf {

/// When a tensor gets another type than its file's usual one.
enum class When {
  never,
  always,
  more_bits,             ///< the first and last eighth of the layers, and every third between
  first_sixteenth,       ///< by layer
  first_eighth,          ///< by layer
  first_eighth_counted,  ///< by the running count of such tensors, which runs ahead of the layers when one holds several
  middle,                ///< neither the first nor the last eighth of the layers
  first_two,
  first_four,
  grouped_by_four,  ///< four or more query heads share one key head
  grouped_or_four_experts,
  eight_experts,
  eight_experts_more_bits,  ///< both
};

struct Bump {
  When when = When::never;
  DType type = dtype::f32;
};

/// The first bump that applies decides; if none does, the tensor gets the base type.
using Bumps = std::array<Bump, 2>;

/// How one file type mixes tensor types. `eight` = what models of exactly eight experts (Mixtral) get instead.
struct Recipe {
  std::string_view format;  ///< wire name
  DType base;
  DType output = dtype::q6_k;  ///< the output matrix, and embeddings that are tied to it
  DType embedding = base;      ///< embeddings of their own
  Bumps value{};               ///< attn_v, attn_qkv
  Bumps key{{{When::eight_experts, dtype::q8_0}}};
  Bumps query{};
  DType attention_output = base;
  DType attention_output_eight = base;
  Bumps down{};
  Bumps gate_up{};
  bool raises_values = true;  ///< attn_v: q8_0 with eight experts; q5_K instead of 3 or 4 bits in models of the "70B" kind
  DType stack = base;         ///< tensors of several matrices: experts, and the two halves of MLA's kv_b
};

[[nodiscard]] const std::vector<Recipe>& recipes();
/// By wire name; null if there is none.
[[nodiscard]] const Recipe* find_recipe(std::string_view format);

}  // namespace weighbridge::gguf
