// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "api_fixture.hpp"

namespace weighbridge::share_test {
namespace {

using testing::Json;

Json decode(const std::string& hash) { return testing::call("share.decode", {{"hash", hash}})["result"]; }
std::string encode(const Json& params) { return testing::call("share.encode", params)["result"]["hash"].get<std::string>(); }
std::string again(const Json& decoded) {
  return encode({{"request", decoded["request"]}, {"view", decoded["view"]}, {"kept", decoded["kept"]}, {"custom", decoded["custom"]}});
}

TEST(Share, TheDefaultNeedsNoHash) { EXPECT_EQ(again(decode("")), ""); }

TEST(Share, ACompleteLinkNamesEvenTheDefaults) {
  EXPECT_EQ(encode({{"request", decode("")["request"]}, {"complete", true}}), "v=1&m=deepseek-r1&ctx=32k&n=16&g=8xh200&e=vllm");
}

TEST(Share, ADeviceByHandHasItsMemoryAndMayHaveItsRates) {
  const Json rows = decode("v=1&g=2x24GiB@936,71+48gib")["request"]["hardware"];
  EXPECT_EQ(rows[0], Json({{"memory_bytes", 24LL << 30}, {"bandwidth_gb_s", 936.0}, {"fp16_tflops", 71.0}, {"count", 2}, {"used_bytes", 0}}));
  EXPECT_FALSE(rows[1].contains("bandwidth_gb_s") || rows[1].contains("fp16_tflops"));
  for (const char* link : {"v=1&g=24gib@", "v=1&g=24gib@fast", "v=1&g=24gib@936,", "v=1&g=24gib@1000000", "v=1&g=h200@936"})
    EXPECT_EQ(decode(link)["notices"][0]["code"], "unknown_device") << link;
  for (const char* link : {"v=1&rambw=0", "v=1&rambw=fast", "v=1&rambw=200000"}) EXPECT_EQ(decode(link)["notices"][0]["where"], "link.rambw") << link;
}

class Links : public ::testing::TestWithParam<const char*> {};

TEST_P(Links, ReadAndWrittenAgainAreTheSame) {
  const Json decoded = decode(GetParam());
  EXPECT_TRUE(decoded["notices"].empty()) << decoded["notices"].dump();
  EXPECT_EQ(again(decoded), GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    RoundTrip, Links,
    ::testing::Values("v=1&m=deepseek-r1-distill-llama-70b&w=int4&ctx=8k&n=1&g=2xrtx-3090", "v=1&ctx=1000&n=3&g=1xh100+2xh200",
                      "v=1&m=qwen3-8b&n=64&g=2xh100&avg=2000&prefix=500&pp=2", "v=1&g=2x24gib&used=1.5",
                      "v=1&g=2x24gib@936+1x16gib@0,9.5+1x8gib@288.5,40", "v=1&ram=64&rambw=89.6", "v=1&rambw=89.6",
                      "v=1&e=vllm@0.11&tp=4&util=0.95&kv=fp8&bt=4096&graphs=0", "v=1&e=article", "v=1&pp=2&dp=2&ep=1&unit=gb&lang=zh&th=dark",
                      "v=1&g=none", "v=1&c=zAbC-_09", "v=1&m=qwen3-32b&w=q8_0&n=2&g=1xrtx-4090&ram=64&e=llama.cpp&ngl=30&ub=256&fa=off",
                      "v=1&m=qwen3-32b&w=checkpoint&n=16&g=1xm4-max-64gb&raised=1&e=llama.cpp", "v=1&m=qwen3-8b&g=1xrtx-4090&e=llama.cpp",
                      "v=1&hf=owner/model&w=q4_k_m&g=1xrtx-4090&e=llama.cpp",
                      "v=1&g=2x24gib&e=llama.cpp&kv=q8_0,f16&cmoe=12&o.n_batch=512&o.kv_unified=1&o.swa_full=0&o.tensor_split=3,1&"
                      "o.split_mode=layer&o.n_ctx=-1&o.override_tensor=ffn_.%2A_exps%3DCPU",
                      "v=1&g=2x24gib&e=ollama&o.sched_spread=1&o.num_batch=256", "v=1&g=2x24gib&e=lm-studio&o.parallel=2",
                      "v=1&e=sglang&o.mem_fraction_static=0.85&o.dp_size=8&o.enable_dp_attention=1", "v=1&hf=owner/model&n=2&c=zAbC-_09"));

TEST(Share, WhatALinkLeavesOutIsWhatTheEngineIsUsuallyAskedFor) {
  const auto expect = [](const std::string& link, const std::string& format, int sequences) {
    const Json request = decode(link)["request"];
    EXPECT_EQ(request["weights"]["format"], format) << link;
    EXPECT_EQ(request["workload"]["sequences"], sequences) << link;
  };
  expect("v=1&m=qwen3-8b&g=1xrtx-4090", "checkpoint", 16);
  expect("v=1&m=qwen3-8b&g=1xrtx-4090&e=sglang", "checkpoint", 16);
  for (const std::string engine : {"llama.cpp", "ollama", "lm-studio"}) expect("v=1&m=qwen3-8b&g=1xrtx-4090&e=" + engine, "gguf:Q4_K_M", 1);
  expect("v=1&m=qwen3-8b&g=1xrtx-4090&e=transformers", "checkpoint", 1);
  expect("v=1&m=qwen3-8b&g=1xm3-max-128gb&e=mlx", "mlx-4bit", 1);
  // What is stated counts; a model of the link's own may be a file, which has a format.
  expect("v=1&m=qwen3-8b&w=checkpoint&n=16&e=llama.cpp", "checkpoint", 16);
  expect("v=1&hf=owner/model-GGUF/blob/main/model-Q8_0.gguf&e=llama.cpp", "checkpoint", 1);
}

// A request without weights is of the checkpoint, whatever a link without them means.
TEST(Share, ARequestWithoutAFormatKeepsItsOwn) {
  const Json request{{"model", {{"id", "mistralai/Mistral-Nemo-Instruct-2407"}}}, {"engine", {{"name", "llama.cpp"}}}};
  const std::string hash = testing::call("share.encode", {{"request", request}})["result"]["hash"];
  EXPECT_NE(hash.find("w=checkpoint"), std::string::npos) << hash;
  EXPECT_EQ(decode(hash)["request"]["weights"]["format"], "checkpoint");
}

TEST(Share, TheCatalogueSaysWhatAnEngineIsUsuallyAskedFor) {
  const Json engines = testing::call("catalogue", Json::object())["result"]["engines"];
  const auto found = std::find_if(engines.begin(), engines.end(), [](const Json& engine) { return engine["name"] == "llama.cpp"; });
  ASSERT_NE(found, engines.end());
  EXPECT_EQ((*found)["usual_format"], "gguf:Q4_K_M");
  EXPECT_EQ((*found)["usual_sequences"], 1);
}

TEST(Share, AnOptionOfAnotherEngineIsKeptAndABadOneNamed) {
  const Json kept = decode("v=1&e=ollama&o.n_batch=512");
  EXPECT_EQ(kept["kept"][0][0], "o.n_batch");
  const Json bad = decode("v=1&e=llama.cpp&o.n_batch=many&o.fit=2");
  EXPECT_EQ(bad["notices"].size(), 2U);
  EXPECT_TRUE(bad["request"]["engine"]["options"].empty());
}

TEST(Share, AliasesAndCaseAreAccepted) {
  const Json request = decode("#v=1&M=x&m=DeepSeek-R1&g=8xH200-SXM&ctx=128K")["request"];
  EXPECT_EQ(request["hardware"][0]["device"], "h200-sxm");
  EXPECT_EQ(request["workload"]["context_tokens"], 131072);
}

TEST(Share, UnknownKeysAreKeptAndWrittenAgain) {
  const Json decoded = decode("v=1&n=3&foo=3&d.kv=fp8&<script>=%3C");
  EXPECT_EQ(decoded["notices"].size(), 3U);
  EXPECT_EQ(again(decoded), "v=1&n=3&foo=3&d.kv=fp8&<script>=%3C");
}

TEST(Share, WhatIsComparedWithThisIsKeptInSilence) {
  const Json decoded = decode("v=1&n=3&b.m=deepseek-v3&c.n=2");
  EXPECT_TRUE(decoded["notices"].empty()) << decoded["notices"].dump();
  EXPECT_EQ(decoded["request"]["model"]["id"], "deepseek-ai/DeepSeek-R1");
  EXPECT_EQ(again(decoded), "v=1&n=3&b.m=deepseek-v3&c.n=2");
}

TEST(Share, ABadValueIsNamedAndItsDefaultCounted) {
  const Json decoded = decode("v=1&n=0&g=2xh300&util=7&tp=x&w=int3&e=abacus&m=nobody&kv=&graphs=2&unit=pound&used=a");
  EXPECT_EQ(decoded["notices"].size(), 11U) << decoded["notices"].dump(1);
  EXPECT_EQ(again(decoded), "");
}

TEST(Share, AModelOfHuggingFaceHasToBeReadBeforeItIsCounted) {
  const char* link = "v=1&hf=owner/model-GGUF/blob/refs%252Fpr%252F1/x.gguf&ctx=256k";
  const Json decoded = decode(link);
  EXPECT_TRUE(decoded["notices"].empty()) << decoded["notices"].dump();
  EXPECT_EQ(decoded["request"]["model"], Json({{"hub", "owner/model-GGUF/blob/refs%2Fpr%2F1/x.gguf"}}));
  EXPECT_EQ(again(decoded), link);
  EXPECT_EQ(encode({{"request", decoded["request"]}, {"complete", true}}).find("m="), std::string::npos);
  const Json response = testing::call("estimate", decoded["request"]);
  EXPECT_EQ(response["error"]["code"], "not_read_yet");
  EXPECT_EQ(response["error"]["values"]["value"], "owner/model-GGUF/blob/refs%2Fpr%2F1/x.gguf");
}

TEST(Share, AModelThatALinkCannotCarryIsSaidToBeMissing) {
  const Json decoded = decode("v=1&n=3&c=-");
  EXPECT_EQ(decoded["custom"], nullptr);
  ASSERT_EQ(decoded["notices"].size(), 1U);
  EXPECT_EQ(decoded["notices"][0]["code"], "not_carried");
  EXPECT_EQ(decoded["request"]["workload"]["sequences"], 3);
}

TEST(Share, OneModelOnly) {
  const Json decoded = decode("v=1&m=qwen3-32b&hf=owner/model&c=zAb");
  EXPECT_EQ(decoded["notices"].size(), 1U);
  EXPECT_EQ(again(decoded), "v=1&hf=owner/model&c=zAb");
  EXPECT_EQ(decode("v=1&hf=model")["notices"][0]["code"], "invalid_value");
}

TEST(Share, TooLongAContextIsCountedAtTheModelsLength) {
  const Json decoded = decode("v=1&ctx=9999999");
  EXPECT_EQ(decoded["request"]["workload"]["context_tokens"], 163840);
  EXPECT_EQ(decoded["notices"][0]["code"], "out_of_range");
}

TEST(Share, TheDefaultContextShrinksToAShortModel) {
  EXPECT_EQ(decode("v=1&m=article-7b")["request"]["workload"]["context_tokens"], 2048);
  EXPECT_TRUE(decode("v=1&m=article-7b")["notices"].empty());
}

TEST(Share, ANewerLinkIsReadAsFarAsItIsKnown) {
  const Json decoded = decode("v=2&n=3");
  EXPECT_EQ(decoded["notices"][0]["code"], "newer_link");
  EXPECT_EQ(decoded["request"]["workload"]["sequences"], 3);
}

TEST(Share, ARepeatedKeyCountsLast) {
  const Json decoded = decode("v=1&n=3&n=4");
  EXPECT_EQ(decoded["request"]["workload"]["sequences"], 4);
  EXPECT_EQ(decoded["notices"].size(), 1U);
}

TEST(Share, ALongLinkIsRefusedNotParsed) {
  const Json decoded = decode("v=1&n=3&x=" + std::string(20000, 'a'));
  EXPECT_EQ(decoded["request"]["workload"]["sequences"], 16);
  EXPECT_EQ(decode("c=" + std::string(5000, 'a'))["custom"], nullptr);
}

TEST(Share, EveryShortTextIsAnswered) {
  // A small, fixed sequence of odd texts: no input may make decoding fail.
  std::uint64_t state = 42;
  const std::string letters = "vmgnctx=&#%+0123456789kxabz/@.-";
  for (int round = 0; round < 4000; ++round) {
    std::string text;
    for (int i = 0; i < 24; ++i) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      text += letters[(state >> 33U) % letters.size()];
    }
    const Json decoded = decode(text);
    ASSERT_TRUE(decoded.contains("request")) << text;
    // What is written from it reads back without a new complaint about values.
    const Json reread = decode(again(decoded));
    for (const Json& notice : reread["notices"]) ASSERT_EQ(notice["code"], "unknown_key") << text;
  }
}

}  // namespace
}  // namespace weighbridge::share_test
