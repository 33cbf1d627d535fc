// SPDX-License-Identifier: Apache-2.0
// Metal and Vulkan beside CUDA: what their operations need beside their results, and which attention they run. Figures by hand from ggml-org/llama.cpp
// v0.5.0 ggml/src/ggml-metal/ggml-metal-ops.cpp and ggml/src/ggml-vulkan/ggml-vulkan.cpp.
#include <gtest/gtest.h>

#include "api_fixture.hpp"

namespace weighbridge::llama_backends_test {
namespace {

using testing::bytes_of;
using testing::Json;
using testing::llama_cpp_request;

constexpr const char* kLlama31 = "meta-llama/Llama-3.1-8B-Instruct";

Json hardware_of_backend(const char* backend) {
  return Json::array({{{"memory_bytes", std::int64_t{96} << 30}, {"count", 1}, {"backend", backend}}});
}

std::int64_t upper_of(const Json& place, std::string_view id) {
  for (const Json& term : place["terms"])
    if (term["id"] == id) return term["high_bytes"].get<std::int64_t>();
  return 0;
}

std::int64_t graph_on_backend(const char* model, const char* backend, const Json& options) {
  return bytes_of(testing::estimate(llama_cpp_request(model, hardware_of_backend(backend), options))["devices"][0], "compute");
}

// A token of the cache takes 2 x 512 bytes of the mask, and on Metal 2 x 2 x 1,024 of keys and values in 16 bits, whatever they are stored as, and one
// of 8 x 8 x 64 entries of the map of empty blocks.
TEST(LlamaBackends, MetalSetsAsideAWholeLayersCacheInSixteenBits) {
  const auto per_token = [](const char* backend, const Json& more) {
    const auto at = [&](std::int64_t n_ctx) {
      Json options = more;
      options["n_ctx"] = n_ctx;
      return graph_on_backend(kLlama31, backend, options);
    };
    return (at(131072) - at(98304)) / 32768;
  };
  EXPECT_EQ(per_token("metal", Json::object()), 1024 + 4096 + 1);
  EXPECT_EQ(per_token("metal", {{"type_k", "q8_0"}, {"type_v", "q8_0"}}), 1024 + 4096 + 1);
  EXPECT_LE(per_token("cuda", Json::object()), 1024);
}

// ggml_metal_device_supports_op asks for one type; ggml_vk has a kernel for iq4_nl; CUDA has none and attends on the processor.
TEST(LlamaBackends, EachHasItsOwnAttention) {
  const auto is_slow = [](const char* backend, const char* keys, const char* values) {
    const Json response = testing::call("estimate", llama_cpp_request(kLlama31, hardware_of_backend(backend),
                                                                      {{"n_ctx", 8192}, {"type_k", keys}, {"type_v", values}}));
    EXPECT_NE(response["result"]["verdict"]["class"], "impossible") << backend << keys << values;
    for (const Json& warning : response["warnings"])
      if (warning["code"] == "slow_cache") return true;
    return false;
  };
  for (const char* backend : {"cuda", "metal", "vulkan"}) EXPECT_FALSE(is_slow(backend, "q8_0", "q8_0")) << backend;
  EXPECT_TRUE(is_slow("metal", "f16", "q8_0"));
  EXPECT_FALSE(is_slow("cuda", "f16", "q8_0"));
  EXPECT_TRUE(is_slow("metal", "iq4_nl", "iq4_nl"));
  EXPECT_TRUE(is_slow("cuda", "iq4_nl", "iq4_nl"));
  EXPECT_FALSE(is_slow("vulkan", "iq4_nl", "iq4_nl"));
}

// ggml_vk_preallocate_buffers: 512 tokens of the widest input, 14,336 values in 16 bits; a quantized cache of 8,192 tokens, 2,048 values each, too.
TEST(LlamaBackends, VulkanConvertsAsItRuns) {
  const auto pool = [](const Json& options) {
    return bytes_of(testing::estimate(llama_cpp_request(kLlama31, hardware_of_backend("vulkan"), options))["devices"][0], "runtime_pool");
  };
  constexpr std::int64_t inputs = 512LL * 14336 * 2;
  EXPECT_EQ(pool({{"n_ctx", 8192}}), inputs);
  EXPECT_EQ(pool({{"n_ctx", 8192}, {"type_k", "q8_0"}, {"type_v", "q8_0"}}), inputs + 8192LL * 2048 * 2);
  EXPECT_GT(pool({{"n_ctx", 8192}, {"flash_attn", "off"}}), inputs + 32LL * 8192 * 512 * 2);
}

// What tools/mtmd/clip.cpp planned itself: tests/truth/llama_cpp_projectors.jsonl.
TEST(LlamaProjector, ItsGraphIsThatOfTheWarmUpsImage) {
  const auto encoder = [](const char* model, const Json& more = Json::object()) {
    Json options = more;
    options["mmproj"] = true;
    options["n_ctx"] = 4096;
    return testing::estimate(llama_cpp_request(model, hardware_of_backend("cuda"), options));
  };
  // 64 x 64 patches; a block's states and the inner values of its feed-forward part.
  EXPECT_EQ(bytes_of(encoder("google/gemma-3-4b-it")["devices"][0], "projector_compute"), (4304LL + 3 * 1152) * 4096 * 4);
  // 16 x 16 tokens of 2 x 2 patches, up to 1,024.
  const Json mistral = encoder("mistralai/Mistral-Small-3.1-24B-Instruct-2503")["devices"][0];
  EXPECT_NEAR(static_cast<double>(bytes_of(mistral, "projector_compute")), 67756032, 0.05 * 67756032);
  EXPECT_GT(upper_of(mistral, "projector_compute"), 4 * bytes_of(mistral, "projector_compute"));
}

// Heads of 48 have no kernel of flash attention on CUDA: the scores of 16 heads for 8,464 patches lie in the buffer.
TEST(LlamaProjector, WithoutAKernelTheScoresOfAllPatchesLieThere) {
  const auto result = [](bool on_device) {
    return testing::estimate(
        llama_cpp_request("Qwen/Qwen3.5-0.8B", hardware_of_backend("cuda"), {{"mmproj", true}, {"mmproj_offload", on_device}, {"n_ctx", 4096}}));
  };
  EXPECT_NEAR(static_cast<double>(bytes_of(result(true)["devices"][0], "projector_compute")), 4767060224.0, 0.02 * 4767060224.0);
  EXPECT_NEAR(static_cast<double>(bytes_of(result(false)["host"], "projector_compute")), 169144576.0, 0.1 * 169144576.0);
}

}  // namespace
}  // namespace weighbridge::llama_backends_test
