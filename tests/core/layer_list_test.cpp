// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>

#include "weighbridge/model.hpp"

namespace weighbridge::layer_list_test {

const LayerSpec kDense{FullAttention{32, 8, 128, 128}, DenseFfn{14336}};
const LayerSpec kExperts{FullAttention{32, 8, 128, 128}, MoeFfn{.n_experts = 64, .n_experts_used = 4, .moe_ffn_size = 1024}};
const LayerSpec kMamba{RecurrentMixer{.kind = RecurrentKind::mamba2, .state_values = 4096}};

TEST(LayerList, KeepsEachKindOnceInTheOrderOfItsFirstLayer) {
  LayerList layers;
  layers.append(3, kDense);
  layers.push_back(kExperts);
  layers.push_back(kDense);
  layers.append(0, kMamba);
  EXPECT_EQ(layers.size(), 5U);
  EXPECT_EQ(layers.kinds(), (std::vector<LayerSpec>{kDense, kExperts}));
  EXPECT_EQ(layers[3], kExperts);
  EXPECT_EQ(layers.back(), kDense);
  EXPECT_EQ(layers.kind_of(3), 1U);
  const auto experts = std::find(layers.begin(), layers.end(), kExperts);
  EXPECT_EQ(std::distance(layers.begin(), experts), 3);
}

TEST(LayerList, IsEqualToOneThatWasMadeInAnotherWay) {
  LayerList changed;
  changed.assign(3, kExperts);
  changed.change(0, 1, [](LayerSpec& layer) { layer.ffn = DenseFfn{14336}; });
  EXPECT_EQ(changed, (LayerList{kDense, kExperts, kExperts}));
  LayerList joined{kDense};
  joined.append(LayerList{kExperts, kExperts});
  EXPECT_EQ(joined, changed);
  EXPECT_NE(joined, (LayerList{kDense, kExperts}));
}

TEST(LayerList, ForgetsKindsThatNoLayerHasAnyMore) {
  LayerList layers{kMamba, kDense, kMamba};
  layers.change_all([](LayerSpec& layer) { layer = kDense; });
  EXPECT_EQ(layers.kinds(), (std::vector<LayerSpec>{kDense}));
  EXPECT_EQ(layers.size(), 3U);
  layers.assign(2, kMamba);
  EXPECT_EQ(layers, (LayerList{kMamba, kMamba}));
}

TEST(LayerList, ChangesUpToTheLastLayerWhateverTheEnd) {
  LayerList layers{kExperts, kExperts};
  layers.change(1, 100, [](LayerSpec& layer) { layer.ffn = NoFfn{}; });
  EXPECT_EQ(layers[0], kExperts);
  EXPECT_EQ(layers[1], (LayerSpec{FullAttention{32, 8, 128, 128}, NoFfn{}}));
}

}  // namespace weighbridge::layer_list_test
