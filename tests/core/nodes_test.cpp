// SPDX-License-Identifier: Apache-2.0
// Layouts over several machines: what each engine allows, the nearest that it does, and the command of each machine.
#include <gtest/gtest.h>

#include "api_fixture.hpp"

namespace weighbridge::nodes_test {
namespace {

using testing::Json;

Json over(const char* engine, const char* model, int gpus, Json parallel, const char* version = "") {
  return {{"model", {{"id", model}}},
          {"engine", {{"name", engine}, {"version", version}}},
          {"workload", {{"context_tokens", 8192}, {"sequences", 4}}},
          {"hardware", Json::array({{{"device", "h100-sxm"}, {"count", gpus}}})},
          {"parallel", std::move(parallel)}};
}

Json verdict_of(const Json& request) { return testing::estimate(request)["verdict"]; }
Json launch(const Json& request) { return testing::call("launch", request)["result"]; }

constexpr const char* kModel = "deepseek-ai/DeepSeek-R1-Distill-Llama-70B";
constexpr const char* kLarge = "deepseek-ai/DeepSeek-R1";

// docs/serving/parallelism_scaling.md: tensor parallel to the GPUs of a machine, pipeline parallel to the machines.
TEST(Nodes, VllmPutsStagesIntoMachinesUnlessAskedOtherwise) {
  const Json counted = testing::estimate(over("vllm", kModel, 16, {{"nodes", 2}}))["request"]["parallel"];
  EXPECT_EQ(counted, (Json{{"tensor", 8}, {"pipeline", 2}, {"data", 1}, {"expert", false}, {"nodes", 2}}));
  const Json whole = testing::estimate(over("sglang", kModel, 16, {{"nodes", 2}}))["request"]["parallel"];
  EXPECT_EQ(whole["tensor"], 16);
  EXPECT_EQ(whole["pipeline"], 1);
}

TEST(Nodes, TheMemoryOfARankIsThatOfOneMachineButForWhatTheNetworkMayTake) {
  const Json layout{{"tensor", 8}, {"pipeline", 2}};
  Json spread = layout;
  spread["nodes"] = 2;
  for (const char* engine : {"vllm", "sglang", "tensorrt-llm"}) {
    const Json one = testing::estimate(over(engine, kModel, 16, layout))["devices"][0];
    const Json two = testing::estimate(over(engine, kModel, 16, spread))["devices"][0];
    EXPECT_EQ(one["total_bytes"], two["total_bytes"]) << engine;
    EXPECT_EQ(one["low_bytes"], two["low_bytes"]) << engine;
    // 64 channels x (4 MiB + 120 x 640 x 8 steps x 8 bytes + 2 x 16 x 128 KiB).
    EXPECT_EQ(two["high_bytes"].get<std::int64_t>() - one["high_bytes"].get<std::int64_t>(), 64LL * (4'194'304 + 4'915'200 + 4'194'304)) << engine;
  }
}

TEST(Nodes, WarnsOfTensorParallelThatLeavesTheMachine) {
  const auto warned = [](const Json& parallel) {
    const Json response = testing::call("estimate", over("vllm", kModel, 16, parallel));
    for (const Json& warning : response["warnings"])
      if (warning["code"] == "tensor_across_nodes") return true;
    return false;
  };
  EXPECT_TRUE(warned({{"tensor", 16}, {"nodes", 2}}));
  EXPECT_FALSE(warned({{"nodes", 2}}));
  EXPECT_FALSE(warned({{"tensor", 16}}));
}

TEST(Nodes, MachinesHoldLikeNumbersOfGpus) {
  const Json verdict = verdict_of(over("vllm", kModel, 16, {{"tensor", 8}, {"pipeline", 2}, {"nodes", 3}}));
  EXPECT_EQ(verdict["class"], "impossible");
  EXPECT_EQ(verdict["reason"]["message"], "`devices` = 16 cannot be split this way: expected a multiple of 3, nodes.");
  EXPECT_EQ(verdict["nearest"]["parallel"], (Json{{"tensor", 8}, {"pipeline", 2}, {"data", 1}, {"expert", false}, {"nodes", 2}}));
}

TEST(Nodes, EnginesOfOneMachineSaySo) {
  const std::map<std::string, std::string> titles{{"tgi", "TGI"}, {"llama.cpp", "llama.cpp"}, {"transformers", "transformers"}};
  for (const auto& [engine, title] : titles) {
    Json request = over(engine.c_str(), kModel, 16, {{"nodes", 2}});
    if (engine == "llama.cpp") request["weights"] = {{"format", "gguf:Q4_K_M"}};
    const Json verdict = verdict_of(request);
    EXPECT_EQ(verdict["class"], "impossible");
    EXPECT_EQ(verdict["reason"]["message"], title + " is counted on one machine: expected nodes 1.");
    EXPECT_EQ(verdict["nearest"]["parallel"], (Json{{"tensor", 16}, {"pipeline", 1}, {"data", 1}, {"expert", false}})) << engine;
  }
}

// vllm/config/parallel.py nnodes_within_dp: 3 engines cannot be dealt out to 2 machines; 2 engines may take 2 machines each since processes span them.
TEST(Nodes, VllmPutsWholeEnginesIntoMachinesOrAnEngineIntoWholeMachines) {
  const Json uneven = verdict_of(over("vllm", kModel, 24, {{"tensor", 8}, {"data", 3}, {"nodes", 2}}));
  EXPECT_EQ(uneven["reason"]["message"], "`data` = 3 cannot be split this way: expected a multiple of 2, nodes.");
  const Json nearest = uneven["nearest"]["parallel"];
  EXPECT_EQ(nearest["nodes"], 2);
  EXPECT_EQ(nearest["tensor"].get<int>() * nearest["pipeline"].get<int>() * nearest["data"].get<int>(), 24);
  EXPECT_NE(verdict_of(over("vllm", kModel, 24, nearest))["class"], "impossible");
  const Json wide{{"tensor", 8}, {"pipeline", 2}, {"data", 2}, {"nodes", 4}};
  EXPECT_NE(verdict_of(over("vllm", kModel, 32, wide))["class"], "impossible");
  EXPECT_EQ(verdict_of(over("vllm", kModel, 32, wide, "0.11"))["class"], "impossible");
}

// server_args.py check_server_args: "multi-node data parallel is not supported unless dp attention!"
TEST(Nodes, SglangCopiesOnlyAttentionOverMachines) {
  const Json refused = verdict_of(over("sglang", kModel, 16, {{"tensor", 8}, {"data", 2}, {"nodes", 2}}));
  EXPECT_EQ(refused["class"], "impossible");
  EXPECT_EQ(refused["reason"]["values"]["key"], "data");
  EXPECT_EQ(refused["nearest"]["parallel"], (Json{{"tensor", 8}, {"pipeline", 2}, {"data", 1}, {"expert", false}, {"nodes", 2}}));
  Json attention = over("sglang", kLarge, 16, {{"nodes", 2}});
  attention["engine"]["options"] = {{"enable_dp_attention", true}, {"dp_size", 16}};
  EXPECT_NE(verdict_of(attention)["class"], "impossible");
}

// engine.py _calculate_rank_ranges: 3 stages do not go into 2 machines, nor 2 machines into 3 stages.
TEST(Nodes, SglangPutsWholeStagesIntoMachines) {
  const Json refused = verdict_of(over("sglang", kModel, 24, {{"tensor", 8}, {"pipeline", 3}, {"nodes", 2}}));
  EXPECT_EQ(refused["reason"]["message"], "`pipeline` = 3 cannot be split this way: expected a multiple of 2, nodes.");
  EXPECT_NE(verdict_of(over("sglang", kModel, 24, refused["nearest"]["parallel"]))["class"], "impossible");
  EXPECT_NE(verdict_of(over("sglang", kModel, 32, {{"tensor", 8}, {"pipeline", 4}, {"nodes", 2}}))["class"], "impossible");
}

TEST(Nodes, TensorRtLlmStartsOneCopy) {
  const Json refused = verdict_of(over("tensorrt-llm", kModel, 16, {{"tensor", 8}, {"data", 2}, {"nodes", 2}}));
  EXPECT_EQ(refused["class"], "impossible");
  EXPECT_EQ(refused["nearest"]["parallel"]["data"], 1);
  EXPECT_NE(verdict_of(over("tensorrt-llm", kModel, 16, refused["nearest"]["parallel"]))["class"], "impossible");
}

// DeepseekV3DecoderLayer._compute_mlp_tp_size: the three dense layers of DeepSeek-R1 are split over the 8 GPUs of a machine, not over 16.
TEST(Nodes, TensorRtLlmKeepsDenseBlocksOfLatentModelsInsideAMachine) {
  const auto dense = [](int nodes) {
    Json request = over("tensorrt-llm", kLarge, 16, {{"tensor", 16}, {"nodes", nodes}});
    return testing::row_bytes(testing::term(testing::estimate(request), "weights"), "dense_ffn");
  };
  EXPECT_EQ(dense(1), 3LL * 3 * 7168 * 18432 / 16);
  EXPECT_EQ(dense(2), 3LL * 3 * 7168 * 18432 / 8);
}

// Between machines nobody says how fast the network is: 10 Gb/s to 400 Gb/s.
TEST(Nodes, TheNetworkIsAnUnknownLink) {
  const auto assumed = [](const Json& parallel) {
    const Json result = testing::call("speed", {{"request", over("vllm", kModel, 16, parallel)}})["result"];
    return result["assumed"];
  };
  const Json inside = assumed({{"nodes", 2}});
  const Json across = assumed({{"tensor", 16}, {"nodes", 2}});
  const auto link = [](const Json& list) -> Json {
    for (const Json& row : list)
      if (row["key"] == "link_gb_s") return row["value"];
    return nullptr;
  };
  EXPECT_TRUE(link(inside).is_null());
  EXPECT_EQ(link(across)["low"], 1.25);
  EXPECT_EQ(link(across)["high"], 50.0);
}

TEST(NodesLaunch, VllmStartsByProcessesSince014AndByRayBefore) {
  const std::string common =
      "vllm serve deepseek-ai/DeepSeek-R1-Distill-Llama-70B --tensor-parallel-size 8 --pipeline-parallel-size 2 "
      "--max-model-len 8192 --max-num-seqs 4";
  const Json processes = launch(over("vllm", kModel, 16, {{"nodes", 2}}));
  EXPECT_EQ(processes["command"], common + " --nnodes 2 --node-rank 0 --master-addr HEAD_IP");
  EXPECT_EQ(processes["others"], Json::array({common + " --nnodes 2 --node-rank 1 --master-addr HEAD_IP --headless"}));
  const Json ray = launch(over("vllm", kModel, 16, {{"nodes", 2}}, "0.11"));
  EXPECT_EQ(ray["command"], "ray start --head --port=6379\n" + common + " --distributed-executor-backend ray");
  EXPECT_EQ(ray["others"], Json::array({"ray start --block --address=HEAD_IP:6379"}));
}

// docs/serving/data_parallel_deployment.md: ranks 0 and 1 on the head, 2 and 3 on the second machine.
TEST(NodesLaunch, VllmDealsEnginesOut) {
  const Json engines = launch(over("vllm", kModel, 16, {{"tensor", 4}, {"data", 4}, {"nodes", 2}}));
  const std::string common =
      "vllm serve deepseek-ai/DeepSeek-R1-Distill-Llama-70B --tensor-parallel-size 4 --data-parallel-size 4 --max-model-len 8192 "
      "--max-num-seqs 1 --data-parallel-size-local 2 --data-parallel-address HEAD_IP --data-parallel-rpc-port 13345";
  EXPECT_EQ(engines["command"], common);
  EXPECT_EQ(engines["others"], Json::array({common + " --headless --data-parallel-start-rank 2"}));
}

TEST(NodesLaunch, SglangAndLmdeployMeetAtTheHead) {
  const Json sglang = launch(over("sglang", kModel, 16, {{"nodes", 2}}));
  const std::string common =
      "python3 -m sglang.launch_server --model-path deepseek-ai/DeepSeek-R1-Distill-Llama-70B --tp-size 16 --context-length 8192 "
      "--max-running-requests 4 --nnodes 2 --node-rank ";
  EXPECT_EQ(sglang["command"], common + "0 --dist-init-addr HEAD_IP:20000");
  EXPECT_EQ(sglang["others"], Json::array({common + "1 --dist-init-addr HEAD_IP:20000"}));
  const Json lmdeploy = launch(over("lmdeploy", kModel, 16, {{"nodes", 2}}));
  EXPECT_EQ(lmdeploy["others"][0],
            "lmdeploy serve api_server deepseek-ai/DeepSeek-R1-Distill-Llama-70B --tp 16 --session-len 8192 --max-batch-size 4 --nnodes 2 "
            "--node-rank 1 --dist-init-addr HEAD_IP:29500");
}

// One command: MPI starts the ranks of all machines.
TEST(NodesLaunch, TensorRtLlmRunsUnderMpi) {
  const Json result = launch(over("tensorrt-llm", kModel, 16, {{"tensor", 8}, {"pipeline", 2}, {"nodes", 2}}));
  EXPECT_EQ(
      result["command"],
      "mpirun -n 16 -H HEAD_IP:8,NODE1_IP:8 trtllm-llmapi-launch trtllm-serve deepseek-ai/DeepSeek-R1-Distill-Llama-70B --tp_size 8 --pp_size 2 "
      "--max_seq_len 8192 --max_batch_size 4");
  EXPECT_FALSE(result.contains("others"));
}

TEST(NodesLink, KeepsThem) {
  const Json decoded = testing::call("share.decode", {{"hash", "v=1&m=qwen3-8b&n=4&g=16xh100&pp=2&nodes=2"}})["result"];
  EXPECT_EQ(decoded["request"]["parallel"], (Json{{"pipeline", 2}, {"nodes", 2}}));
  EXPECT_EQ(testing::call("share.encode", {{"request", decoded["request"]}})["result"]["hash"], "v=1&m=qwen3-8b&n=4&g=16xh100&pp=2&nodes=2");
}

}  // namespace
}  // namespace weighbridge::nodes_test
