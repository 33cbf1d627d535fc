// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "engine/engine.hpp"

namespace weighbridge::mlx {

/// How a model's class makes the caches of its layers (make_prompt_cache in mlx_lm/models/cache.py).
enum class Caches {
  plain,    ///< every layer alike: all tokens, or `--max-kv-size` of them
  own,      ///< by make_cache(), which knows no limit; attention keeps all tokens
  windows,  ///< by make_cache(); a layer with a window keeps that
};

/// A model that mlx-lm has code for.
struct ModelClass {
  std::string_view name;  ///< model_type
  Caches caches = Caches::plain;
};
[[nodiscard]] const ModelClass* find_class(std::string_view model_type);

/// The settings in force.
struct Settings {
  std::int64_t sequences = 0;
  std::int64_t total_tokens = 0;   ///< of one sequence when it is full
  std::int64_t prompt_tokens = 0;  ///< of them, read before the first is generated
  std::int64_t step_tokens = 0;    ///< of the prompt in one step
  std::int64_t max_kv_size = 0;    ///< tokens that a layer keeps at most; 0: all
  bool keeps_windows = false;      ///< layers with a window keep no more
  std::int64_t cache_bits = 16;
  std::int64_t cache_group = 64;  ///< values that share a scale and a bias, below 16 bits
};

/// What runs at the same time on the GPU: mlx/backend/metal/device.cpp, mlx/transforms.cpp.
struct Limits {
  std::int64_t operations = 0;        ///< of a command buffer before it is sent off
  std::int64_t million_elements = 0;  ///< touched by it, in units of 2^20
};

/// A step of the model on `tokens` new tokens, whose caches then hold `kept` tokens of each sequence.
struct StepSize {
  std::int64_t tokens = 0;
  std::int64_t before = 0;  ///< tokens in the cache before
  bool grows = false;       ///< the caches are joined with new room, so the old ones are alive too
};

/// The most bytes that are alive beside weights and caches while `step` runs: of the tensors that the command buffers in flight hold on to.
[[nodiscard]] Bytes step_bytes(const Job& job, const Settings& settings, const Limits& limits, const StepSize& step);

/// Values that one layer keeps of a token, and the window it forgets outside of (0: none).
struct Kept {
  std::int64_t values = 0;
  std::int64_t window = 0;
};
[[nodiscard]] Kept kept_of(const LayerSpec& layer, const Settings& settings);

/// KVCache.step
inline constexpr std::int64_t kCacheStep = 256;

}  // namespace weighbridge::mlx
