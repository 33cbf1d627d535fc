// SPDX-License-Identifier: Apache-2.0
// A GGUF file that is written from a model reads back to it: its layers, its tensors, and what llama.cpp needs for it.
#include "read/gguf_model.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "api_fixture.hpp"
#include "embedded.hpp"
#include "file_writer.hpp"
#include "read/gguf_header.hpp"
#include "weighbridge/ggml_type.hpp"
#include "weighbridge/gguf.hpp"
#include "weighbridge/read.hpp"

namespace weighbridge {
namespace {

using testing::GgufWriter;
using testing::Json;

constexpr const char* kFormat = "gguf:Q4_K_M";

std::string architecture_of(const Model& model) {
  for (const auto& [ours, theirs] :
       {std::pair{"qwen3_moe", "qwen3moe"}, std::pair{"deepseek_v3", "deepseek2"}, std::pair{"gemma3_text", "gemma3"},
        std::pair{"gpt_oss", "gpt-oss"}, std::pair{"glm4_moe", "glm4moe"}, std::pair{"mixtral", "llama"}, std::pair{"mistral", "llama"}})
    if (model.architecture == ours) return theirs;
  return model.architecture;
}

std::uint32_t id_of(DType type) {
  for (std::uint32_t id = 0; id < 64; ++id)
    if (const auto known = ggml_type_by_id(id); known && *known == type) return id;
  return 0xFFFF;
}

/// The keys that convert_hf_to_gguf.py writes of attention.
void write_attention(const Model& model, const std::string& arch, GgufWriter& writer) {
  const auto key = [&](const char* name) { return arch + "." + name; };
  std::vector<std::int32_t> sliding;
  std::int64_t window = 0;
  for (const LayerSpec& layer : model.layers) {
    const auto* windowed = std::get_if<SlidingAttention>(&layer.mixer);
    sliding.push_back(windowed != nullptr ? 1 : 0);
    if (windowed != nullptr) window = windowed->window;
  }
  if (window > 0)
    writer.number(key("attention.sliding_window"), static_cast<std::uint32_t>(window)).numbers(key("attention.sliding_window_pattern"), sliding);
  const auto put = [&](const char* name, std::int64_t value) { writer.number(key(name), static_cast<std::uint32_t>(value)); };
  if (const FullAttention* heads = first_grouped_attention(model.layers)) {
    put("attention.head_count", heads->n_heads);
    put("attention.head_count_kv", heads->n_kv_heads);
    put("attention.key_length", heads->head_dim_k);
    put("attention.value_length", heads->head_dim_v);
    put("rope.dimension_count", model.rotary_dim);
  } else if (const LatentAttention* latent = first_latent_attention(model.layers)) {
    put("attention.head_count", latent->n_heads);
    put("attention.head_count_kv", 1);
    put("attention.q_lora_rank", latent->q_lora_rank);
    put("attention.kv_lora_rank", latent->kv_lora_rank);
    put("attention.key_length", latent->kv_lora_rank + latent->qk_rope_head_dim);
    put("attention.value_length", latent->kv_lora_rank);
    put("attention.key_length_mla", latent->qk_nope_head_dim + latent->qk_rope_head_dim);
    put("attention.value_length_mla", latent->head_dim_v);
    put("rope.dimension_count", latent->qk_rope_head_dim);
  }
}

bool is_bias(const Tensor& tensor) {
  return tensor.cols == 1 && !tensor.name.ends_with("norm") && tensor.name != "attn_sinks" && tensor.name != "rope_freqs" &&
         !tensor.name.ends_with(".bias");
}

GgufWriter gguf_of(const Model& model) {
  const std::string arch = architecture_of(model);
  GgufWriter writer;
  const auto put = [&](const char* name, std::int64_t value) { writer.number(arch + "." + name, static_cast<std::uint32_t>(value)); };
  writer.text("general.architecture", arch);
  put("block_count", model.n_layers());
  put("embedding_length", model.hidden_size);
  put("context_length", model.max_context_tokens);
  if (const MoeFfn* moe = first_moe(model)) {
    put("expert_count", moe->n_experts);
    put("expert_used_count", moe->n_experts_used);
  }
  if (largest_dense_ffn(model) > 0) put("feed_forward_length", largest_dense_ffn(model));
  write_attention(model, arch, writer);
  for (const Tensor& tensor : gguf_tensors(model, kFormat)) {
    std::string name = tensor.layers.first >= 0 ? "blk." + std::to_string(tensor.layers.first) + "." : "";
    name += tensor.name;
    if (!tensor.name.ends_with(".bias")) name += is_bias(tensor) ? ".bias" : ".weight";
    std::vector<std::uint64_t> dimensions{static_cast<std::uint64_t>(tensor.rows)};
    if (tensor.cols > 1) dimensions.insert(dimensions.begin(), static_cast<std::uint64_t>(tensor.cols));
    if (tensor.per_layer > 1) dimensions.push_back(static_cast<std::uint64_t>(tensor.per_layer));
    writer.tensor(name, dimensions, id_of(tensor.type), tensor.bytes().count());
  }
  return writer;
}

/// The families whose keys and names gguf_of writes.
bool is_written(const std::string& architecture) {
  for (const char* known : {"deepseek_v3", "gemma2", "gemma3", "gemma3_text", "glm4_moe", "gpt_oss", "llama", "mistral", "mixtral", "phi3", "qwen2",
                            "qwen3", "qwen3_moe"})
    if (architecture == known) return true;
  return false;
}

/// Models of the catalogue that llama.cpp has a GGUF for and that our keys describe.
std::vector<Model> models() {
  std::vector<Model> list;
  const Json catalogue = testing::parse(embedded("models.json"));
  for (const Json& row : catalogue["models"]) {
    Notices warnings;
    Result<Model> model = read_config(row["config"], "config", warnings);
    if (!model || model->parameters_by_name > 0 || model->architecture == "generic_dense") continue;
    if (!is_written(model->architecture)) continue;
    model->id = row["id"].get<std::string>();
    // EmbeddingGemma is another architecture there, and the file of a Mistral does not tell its window.
    if (std::holds_alternative<EncoderAttention>(model->layers.front().mixer)) continue;
    if (model->architecture == "mistral" && sliding_layers(*model).n_layers > 0) continue;
    list.push_back(std::move(*model));
  }
  return list;
}

std::optional<Model> read_back(const GgufWriter& writer, Notices& warnings) {
  GgufReader reader("x.gguf", writer.file_bytes());
  testing::serve(reader, writer.header(), 1 << 20);
  EXPECT_TRUE(reader.done()) << (reader.error() ? reader.error()->message : "");
  if (!reader.done()) return std::nullopt;
  return model_of_gguf({reader.take()}, warnings);
}

std::vector<Tensor> sorted(std::vector<Tensor> tensors) {
  std::sort(tensors.begin(), tensors.end(), [](const Tensor& a, const Tensor& b) {
    return std::tie(a.layers.first, a.name, a.cols, a.per_layer) < std::tie(b.layers.first, b.name, b.cols, b.per_layer);
  });
  return tensors;
}

TEST(GgufModel, LayersAndTensorsReadBack) {
  ASSERT_GT(models().size(), 20U);
  for (const Model& model : models()) {
    Notices warnings;
    const std::optional<Model> back = read_back(gguf_of(model), warnings);
    ASSERT_TRUE(back) << model.id << ": " << (warnings.empty() ? "" : warnings[0].message);
    EXPECT_EQ(back->layers, model.layers) << model.id;
    EXPECT_EQ(back->vocab_size, model.vocab_size) << model.id;
    EXPECT_EQ(back->tied_embeddings, model.tied_embeddings) << model.id;
    EXPECT_EQ(back->rope_factors, model.rope_factors) << model.id;
    const std::vector<Tensor> wanted = sorted(gguf_tensors(model, kFormat));
    const std::vector<Tensor> found = sorted(back->tensors);
    ASSERT_EQ(found.size(), wanted.size()) << model.id;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      ASSERT_EQ(found[i], wanted[i]) << model.id << ' ' << wanted[i].name << ' ' << wanted[i].layers.first << " role "
                                     << static_cast<int>(found[i].role) << " for " << static_cast<int>(wanted[i].role);
    }
  }
}

/// Through the boundary: the file is pushed, its spec counted by llama.cpp, and the same as the catalogue's model in that format.
TEST(GgufModel, AFileNeedsWhatItsModelNeeds) {
  Api reader{reading()};
  const Json hardware = Json::array({{{"device", "h200-sxm"}, {"count", 8}}});
  for (const Model& model : models()) {
    const GgufWriter writer = gguf_of(model);
    const auto size = static_cast<std::int64_t>(writer.file_bytes());
    const Json open{{"method", "read.open"}, {"params", {{"files", Json::array({{{"name", "x.gguf"}, {"size_bytes", size}}})}}}};
    const Json opened = testing::parse(reader.call(open.dump()));
    const auto handle = opened["result"]["handle"].get<std::int64_t>();
    const Json done = testing::parse(reader.push(handle, "x.gguf", size, 0, writer.header()));
    ASSERT_EQ(done["result"]["done"], true) << done;
    (void)testing::parse(reader.call(Json{{"method", "read.close"}, {"params", {{"handle", handle}}}}.dump()));
    Json params{{"model", {{"spec", done["result"]["spec"]}}},
                {"engine", {{"name", "llama.cpp"}}},
                {"workload", {{"context_tokens", std::min<std::int64_t>(4096, model.max_context_tokens)}}},
                {"hardware", hardware}};
    const Json found = testing::estimate(params);
    params["model"] = {{"id", model.id}};
    params["weights"] = {{"format", kFormat}};
    const Json wanted = testing::estimate(params);
    ASSERT_EQ(found["devices"].size(), wanted["devices"].size()) << model.id;
    for (std::size_t i = 0; i < wanted["devices"].size(); ++i)
      EXPECT_EQ(found["devices"][i]["total_bytes"], wanted["devices"][i]["total_bytes"]) << model.id;
    params.erase("weights");
    params["model"] = {{"spec", done["result"]["spec"]}};
    params["engine"] = {{"name", "vllm"}};
    EXPECT_EQ(testing::call("estimate", params)["result"]["verdict"]["class"], "impossible") << model.id;
  }
}

TEST(GgufModel, AnUnknownArchitectureKeepsItsWeights) {
  GgufWriter writer;
  writer.text("general.architecture", "foo_bar").tensor("blk.0.attn_q.weight", {256, 256}, 12, 36'864);
  Notices warnings;
  EXPECT_FALSE(read_back(writer, warnings));
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_EQ(
      warnings[0].message,
      "`foo_bar` is new to us. Weights: 36.0 KiB, exact, from the tensor list. Cache: not known; enter layers, KV heads and head size, or choose a "
      "similar model.");
}

TEST(GgufModel, TensorsOfLayersThatAreNotThereAreStillCounted) {
  GgufWriter writer;
  writer.text("general.architecture", "llama")
      .number("llama.block_count", 1)
      .number("llama.embedding_length", 256)
      .number("llama.context_length", 128);
  writer.number("llama.attention.head_count", 4).tensor("token_embd.weight", {256, 8}, 0, 8192).tensor("blk.0.attn_q.weight", {256, 256}, 12, 36'864);
  writer.tensor("blk.9999.attn_k.weight", {256, 256}, 12, 36'864).tensor("blk.0.ffn_down_exps.weight", {256, 8, 2}, 12, 2304);
  Notices warnings;
  const std::optional<Model> model = read_back(writer, warnings);
  ASSERT_TRUE(model);
  EXPECT_EQ(total_bytes(model->tensors), Bytes(8192 + 36'864 + 36'864 + 2304));
  EXPECT_GE(count_active_parameters(*model), 0);
}

}  // namespace
}  // namespace weighbridge
