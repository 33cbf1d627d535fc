// SPDX-License-Identifier: Apache-2.0
// The mixes of ggml-org/llama.cpp v0.5.0 src/llama-quant.cpp (llama_tensor_get_type_impl, no importance matrix) as a table: one row per file type.
#include "gguf/recipe.hpp"

namespace weighbridge::gguf {

const std::vector<Recipe>& recipes() {
  static const std::vector<Recipe> all{
      {.format = "gguf:F32", .base = dtype::f32, .output = dtype::f32},
      {.format = "gguf:F16", .base = dtype::f16, .output = dtype::f16},
      {.format = "gguf:BF16", .base = dtype::bf16, .output = dtype::bf16},
      {.format = "gguf:Q8_0", .base = dtype::q8_0, .output = dtype::q8_0},
      {.format = "gguf:Q6_K", .base = dtype::q6_k},
      {.format = "gguf:Q5_K_M", .base = dtype::q5_k, .value = {{{When::more_bits, dtype::q6_k}}}, .down = {{{When::more_bits, dtype::q6_k}}}},
      {.format = "gguf:Q5_K_S", .base = dtype::q5_k},
      {.format = "gguf:Q5_1", .base = dtype::q5_1},
      {.format = "gguf:Q5_0", .base = dtype::q5_0},
      {.format = "gguf:Q4_K_M", .base = dtype::q4_k, .value = {{{When::more_bits, dtype::q6_k}}}, .attention_output_eight = dtype::q5_k, .down = {{{When::more_bits, dtype::q6_k}}}},
      {.format = "gguf:Q4_K_S", .base = dtype::q4_k, .value = {{{When::first_four, dtype::q5_k}}}, .attention_output_eight = dtype::q5_k, .down = {{{When::first_eighth, dtype::q5_k}}}},
      {.format = "gguf:Q4_1", .base = dtype::q4_1},
      {.format = "gguf:Q4_0", .base = dtype::q4_0},
      {.format = "gguf:IQ4_NL", .base = dtype::iq4_nl, .value = {{{When::grouped_by_four, dtype::q5_k}}}, .attention_output_eight = dtype::q5_k, .down = {{{When::first_eighth, dtype::q5_k}}}},
      {.format = "gguf:IQ4_XS", .base = dtype::iq4_xs, .value = {{{When::grouped_by_four, dtype::q5_k}}}, .attention_output_eight = dtype::q5_k, .down = {{{When::first_eighth, dtype::q5_k}}}},
      {.format = "gguf:MXFP4_MOE", .base = dtype::q8_0, .output = dtype::q8_0, .stack = dtype::mxfp4},
      {.format = "gguf:Q3_K_L", .base = dtype::q3_k, .value = {{{When::always, dtype::q5_k}}}, .attention_output = dtype::q5_k, .down = {{{When::always, dtype::q5_k}}}},
      {.format = "gguf:Q3_K_M", .base = dtype::q3_k, .value = {{{When::first_two, dtype::q5_k}, {When::always, dtype::q4_k}}}, .attention_output = dtype::q4_k, .attention_output_eight = dtype::q5_k, .down = {{{When::first_sixteenth, dtype::q5_k}, {When::always, dtype::q4_k}}}},
      {.format = "gguf:Q3_K_S", .base = dtype::q3_k, .attention_output_eight = dtype::q5_k},
      {.format = "gguf:IQ3_M", .base = dtype::iq3_s, .value = {{{When::always, dtype::q4_k}}}, .attention_output = dtype::q4_k, .attention_output_eight = dtype::q5_k, .down = {{{When::first_eighth, dtype::q4_k}, {When::eight_experts_more_bits, dtype::q4_k}}}},
      {.format = "gguf:IQ3_S", .base = dtype::iq3_s, .value = {{{When::grouped_by_four, dtype::q4_k}}}, .attention_output_eight = dtype::q5_k},
      {.format = "gguf:IQ3_XS", .base = dtype::iq3_s, .value = {{{When::grouped_by_four, dtype::q4_k}}}, .key = {{{When::eight_experts, dtype::q8_0}, {When::always, dtype::iq3_xxs}}}, .query = {{{When::always, dtype::iq3_xxs}}}, .attention_output_eight = dtype::q5_k, .gate_up = {{{When::middle, dtype::iq3_xxs}}}},
      {.format = "gguf:IQ3_XXS", .base = dtype::iq3_xxs, .output = dtype::q5_k, .embedding = dtype::iq3_s, .value = {{{When::grouped_by_four, dtype::q4_k}, {When::always, dtype::iq3_s}}}, .key = {{{When::eight_experts, dtype::q8_0}, {When::always, dtype::iq2_s}}}, .query = {{{When::always, dtype::iq2_s}}}, .attention_output = dtype::iq3_s, .attention_output_eight = dtype::q5_k, .down = {{{When::first_eighth, dtype::q4_k}, {When::always, dtype::q3_k}}}},
      {.format = "gguf:Q2_K", .base = dtype::q2_k, .value = {{{When::grouped_by_four, dtype::q4_k}, {When::always, dtype::q3_k}}}, .attention_output = dtype::q3_k, .attention_output_eight = dtype::q5_k, .down = {{{When::always, dtype::q3_k}}}},
      {.format = "gguf:Q2_K_S", .base = dtype::q2_k, .value = {{{When::grouped_by_four, dtype::q4_k}}}, .down = {{{When::first_eighth, dtype::q4_k}}}},
      {.format = "gguf:IQ2_M", .base = dtype::iq2_s, .output = dtype::q5_k, .embedding = dtype::iq3_s, .value = {{{When::grouped_or_four_experts, dtype::q4_k}, {When::always, dtype::iq3_s}}}, .key = {{{When::eight_experts, dtype::q4_k}}}, .attention_output = dtype::iq3_s, .attention_output_eight = dtype::q5_k, .down = {{{When::first_eighth_counted, dtype::iq3_s}}}, .raises_values = false},
      {.format = "gguf:IQ2_S", .base = dtype::iq2_xs, .output = dtype::q5_k, .embedding = dtype::iq3_s, .value = {{{When::grouped_or_four_experts, dtype::q4_k}, {When::always, dtype::iq3_s}}}, .key = {{{When::eight_experts, dtype::q4_k}}}, .attention_output = dtype::iq3_s, .attention_output_eight = dtype::q5_k, .down = {{{When::first_eighth_counted, dtype::iq3_s}}}, .raises_values = false},
      {.format = "gguf:IQ2_XS", .base = dtype::iq2_xs, .output = dtype::q5_k, .embedding = dtype::q2_k, .value = {{{When::grouped_or_four_experts, dtype::q4_k}, {When::always, dtype::q2_k}}}, .key = {{{When::eight_experts, dtype::q4_k}}}, .attention_output_eight = dtype::q5_k, .down = {{{When::first_eighth_counted, dtype::q2_k}}}, .raises_values = false},
      {.format = "gguf:IQ2_XXS", .base = dtype::iq2_xxs, .output = dtype::q5_k, .embedding = dtype::q2_k, .value = {{{When::grouped_or_four_experts, dtype::q4_k}, {When::always, dtype::q2_k}}}, .key = {{{When::eight_experts, dtype::q4_k}}}, .attention_output_eight = dtype::q5_k, .down = {{{When::first_eighth_counted, dtype::q2_k}}}, .raises_values = false},
      {.format = "gguf:TQ2_0", .base = dtype::tq2_0, .embedding = dtype::q4_k},
      {.format = "gguf:TQ1_0", .base = dtype::tq1_0, .embedding = dtype::q4_k},
      {.format = "gguf:IQ1_M", .base = dtype::iq1_m, .output = dtype::q5_k, .embedding = dtype::q2_k, .value = {{{When::grouped_or_four_experts, dtype::q4_k}, {When::always, dtype::q2_k}}}, .key = {{{When::eight_experts, dtype::q4_k}}}, .attention_output = dtype::iq2_xxs, .attention_output_eight = dtype::q5_k, .down = {{{When::first_eighth_counted, dtype::q2_k}}}, .raises_values = false},
      {.format = "gguf:IQ1_S", .base = dtype::iq1_s, .output = dtype::q5_k, .embedding = dtype::q2_k, .value = {{{When::grouped_or_four_experts, dtype::q4_k}, {When::always, dtype::q2_k}}}, .key = {{{When::eight_experts, dtype::q4_k}}}, .attention_output = dtype::iq2_xxs, .attention_output_eight = dtype::q5_k, .down = {{{When::first_eighth_counted, dtype::q2_k}}}, .raises_values = false},
  };
  return all;
}

const Recipe* find_recipe(std::string_view format) {
  for (const Recipe& recipe : recipes())
    if (recipe.format == format) return &recipe;
  return nullptr;
}

}  // namespace weighbridge::gguf
