// SPDX-License-Identifier: Apache-2.0
// What measured runs reached, by engine (tests/truth/speed.jsonl). The share of the bandwidth is what records of large models came to, the time of a
// layer what those of small ones leave once their bytes are read; both rounded outwards until nine of ten records of the engine lie within. Where they
// come from few machines, and for reading prompts outside llama.cpp, the bounds are those of the other engines that serve. The share of operations is
// that of prompts of 512 to 2,048 tokens.
#include <algorithm>
#include <array>

#include "weighbridge/speed.hpp"

namespace weighbridge {

namespace {

constexpr std::array kBands{
    SpeedBand{"llama.cpp", {0.45, 0.9}, {0.15, 0.5}, {0.4, 1.1}, {20e-6, 160e-6}, true, 512, 124, 107, 28},
    SpeedBand{"vllm", {0.5, 0.85}, {0.3, 0.8}, {0.3, 0.8}, {60e-6, 160e-6}, false, 2048, 85, 2, 6},
    SpeedBand{"sglang", {0.33, 0.85}, {0.3, 0.8}, {0.3, 0.8}, {50e-6, 160e-6}, false, 2048, 20, 0, 1},
    SpeedBand{"tensorrt-llm", {0.5, 0.85}, {0.3, 0.8}, {0.3, 0.8}, {40e-6, 160e-6}, false, 8192, 11, 14, 3},
    SpeedBand{"mlx", {0.6, 0.92}, {0.5, 0.9}, {0.5, 0.9}, {10e-6, 80e-6}, false, 2048, 9, 9, 1},
    SpeedBand{"transformers", {0.3, 0.85}, {0.3, 0.8}, {0.3, 0.8}, {300e-6, 1200e-6}, true, 4096, 74, 0, 2},
    SpeedBand{"", {0.3, 0.92}, {0.15, 0.9}, {0.3, 1.1}, {10e-6, 1200e-6}, false, 512, 0, 0, 0},
};

}  // namespace

const SpeedBand& speed_band(std::string_view engine) {
  const auto found = std::find_if(kBands.begin(), kBands.end(), [&](const SpeedBand& band) { return band.engine == engine; });
  return found != kBands.end() ? *found : kBands.back();
}

}  // namespace weighbridge
