// SPDX-License-Identifier: Apache-2.0
#include "weighbridge/weights.hpp"

#include <gtest/gtest.h>

#include "api_fixture.hpp"
#include "embedded.hpp"
#include "weighbridge/read.hpp"

namespace weighbridge::weights_test {
namespace {

Model deepseek_r1() {
  Notices warnings;
  Result<Model> model = read_config(testing::parse(embedded("deepseek-r1.config.json")), "config", warnings);
  EXPECT_TRUE(model.has_value());
  EXPECT_TRUE(warnings.empty());
  return *model;
}

// Published: huggingface.co/deepseek-ai/DeepSeek-V3 counts 684,531,386,000 stored elements.
TEST(Inventory, DeepSeekR1MatchesThePublishedCounts) {
  const Model model = deepseek_r1();
  const ParameterCounts counts = count_parameters(model.tensors);
  EXPECT_EQ(counts.text, 671'026'419'200);
  EXPECT_EQ(counts.mtp, 13'463'426'304);
  EXPECT_EQ(counts.stored, 684'531'386'000);
  EXPECT_EQ(count_active_parameters(model), 37'552'297'472);
  EXPECT_EQ(total_bytes(model.tensors), Bytes(688'574'839'360));
}

TEST(Inventory, EhProjStaysInBf16InTheFp8Checkpoint) {
  for (const Tensor& tensor : deepseek_r1().tensors) {
    if (tensor.role != TensorRole::mtp_projection) continue;
    EXPECT_EQ(tensor.type, dtype::bf16);
    EXPECT_EQ(tensor.cols, 2 * 7168);
    return;
  }
  FAIL() << "no eh_proj";
}

TEST(Inventory, TheSameTensorOfConsecutiveLayersIsOneRow) {
  std::int64_t rows = 0;
  for (const Tensor& tensor : deepseek_r1().tensors)
    if (tensor.name == "model.layers.{layer}.self_attn.o_proj.weight" && !tensor.is_scale) ++rows;
  EXPECT_EQ(rows, 2);  // the text layers, the MTP layer
}

TEST(Weights, EveryFormatHoldsTheSameParameters) {
  const Model model = deepseek_r1();
  for (const WeightsFormat& format : weights_formats()) {
    const ParameterCounts counts = count_parameters(tensors_in(model, format.name));
    EXPECT_EQ(counts.text, 671'026'419'200) << format.name;
    EXPECT_EQ(counts.mtp, 13'463'426'304) << format.name;
  }
}

TEST(Weights, Bf16TakesTwoBytesForEachParameterButTheRouterBias) {
  const Model model = deepseek_r1();
  const std::int64_t router_bias = 59LL * 256;  // f32: 58 MoE layers and the MTP layer
  EXPECT_EQ(total_bytes(tensors_in(model, "bf16")), Bytes(static_cast<std::uint64_t>(2 * (671'026'419'200 + 13'463'426'304) + 2 * router_bias)));
}

TEST(Weights, SmallerFormatsTakeFewerBytes) {
  const Model model = deepseek_r1();
  EXPECT_LT(total_bytes(tensors_in(model, "int4")), total_bytes(tensors_in(model, "int8")));
  EXPECT_LT(total_bytes(tensors_in(model, "int8")), total_bytes(tensors_in(model, "bf16")));
  EXPECT_LT(total_bytes(tensors_in(model, "bf16")), total_bytes(tensors_in(model, "fp32")));
}

TEST(Weights, AnUnknownFormatHasNoLayout) { EXPECT_FALSE(layout_of("int3").has_value()); }

TEST(Weights, TheCheckpointIsNamedByWhatItHolds) { EXPECT_EQ(checkpoint_format(deepseek_r1()), "fp8"); }

}  // namespace
}  // namespace weighbridge::weights_test
