// SPDX-License-Identifier: Apache-2.0
// Language models with image encoders, whose config describes each part. Counts: the published safetensors files on huggingface.co.
#include <gtest/gtest.h>

#include <string>

#include "api_fixture.hpp"
#include "weighbridge/read.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge::vision_test {
namespace {

using testing::Json;

struct Published {
  const char* id;
  std::int64_t elements;
  const char* config;
};

constexpr Published kPublished[] = {
    // The language model is Llama's class by its defaults.
    {"llava-hf/llava-1.5-7b-hf", 7'063'427'072,
     R"({"model_type":"llava","torch_dtype":"float16","text_config":{"max_position_embeddings":4096,"model_type":"llama","vocab_size":32064},
         "vision_config":{"model_type":"clip_vision_model","hidden_size":1024,"image_size":336,"intermediate_size":4096,"num_attention_heads":16,
         "num_hidden_layers":24,"patch_size":14},"vision_feature_layer":-2})"},
    {"llava-hf/llava-v1.6-mistral-7b-hf", 7'566'747'648,
     R"({"model_type":"llava_next","torch_dtype":"float16","image_grid_pinpoints":[[336,672],[672,672]],
         "text_config":{"model_type":"mistral","max_position_embeddings":32768,"vocab_size":32064,"sliding_window":null},
         "vision_config":{"model_type":"clip_vision_model","hidden_size":1024,"image_size":336,"intermediate_size":4096,"num_attention_heads":16,
         "num_hidden_layers":24,"patch_size":14}})"},
    {"mistral-experimental/pixtral-12b", 12'682'739'712,
     R"({"model_type":"llava","torch_dtype":"bfloat16","text_config":{"head_dim":128,"hidden_size":5120,"intermediate_size":14336,
         "max_position_embeddings":1024000,"model_type":"mistral","num_hidden_layers":40,"num_key_value_heads":8,"sliding_window":null,"vocab_size":131072},
         "vision_config":{"head_dim":64,"image_size":1024,"model_type":"pixtral","patch_size":16},"vision_feature_layer":-1})"},
    {"llava-hf/llava-onevision-qwen2-0.5b-ov-hf", 893'675'552,
     R"({"model_type":"llava_onevision","torch_dtype":"float16","tie_word_embeddings":false,"text_config":{"model_type":"qwen2","hidden_size":896,
         "intermediate_size":4864,"num_attention_heads":14,"num_hidden_layers":24,"num_key_value_heads":2,"vocab_size":152000,
         "tie_word_embeddings":true},"vision_config":{"model_type":"siglip_vision_model","hidden_size":1152,"image_size":384,
         "intermediate_size":4304,"num_attention_heads":16,"num_hidden_layers":26,"patch_size":14,"vision_use_head":false}})"},
    {"HuggingFaceTB/SmolVLM-256M-Instruct", 256'484'928,
     R"({"model_type":"idefics3","torch_dtype":"bfloat16","scale_factor":4,"text_config":{"model_type":"llama","hidden_size":576,
         "intermediate_size":1536,"num_attention_heads":9,"num_hidden_layers":30,"num_key_value_heads":3,"vocab_size":49280},
         "vision_config":{"model_type":"idefics3_vision","hidden_size":768,"image_size":512,"patch_size":16}})"},
    {"HuggingFaceTB/SmolVLM-Instruct", 2'246'272'880,
     R"({"model_type":"idefics3","torch_dtype":"bfloat16","scale_factor":3,"text_config":{"model_type":"llama","hidden_size":2048,
         "intermediate_size":8192,"num_attention_heads":32,"num_hidden_layers":24,"num_key_value_heads":32,"vocab_size":49155},
         "vision_config":{"model_type":"idefics3_vision","hidden_size":1152,"image_size":384,"patch_size":14,"intermediate_size":4304,
         "num_attention_heads":16,"num_hidden_layers":27}})"},
    {"google/paligemma-3b-mix-224", 2'923'466'480,
     R"({"model_type":"paligemma","torch_dtype":"float32","text_config":{"hidden_size":2048,"intermediate_size":16384,"model_type":"gemma",
         "num_attention_heads":8,"num_hidden_layers":18,"num_key_value_heads":1,"vocab_size":257216},"vision_config":{"hidden_size":1152,
         "intermediate_size":4304,"model_type":"siglip_vision_model","num_attention_heads":16,"num_hidden_layers":27,"patch_size":14}})"},
    {"OpenGVLab/InternVL2_5-8B", 8'075'365'376,
     R"({"model_type":"internvl_chat","torch_dtype":"bfloat16","downsample_ratio":0.5,"llm_config":{"model_type":"internlm2","hidden_size":4096,
         "intermediate_size":14336,"num_attention_heads":32,"num_hidden_layers":32,"num_key_value_heads":8,"vocab_size":92553,
         "max_position_embeddings":32768,"bias":false},"vision_config":{"hidden_size":1024,"image_size":448,"intermediate_size":4096,
         "num_attention_heads":16,"num_hidden_layers":24,"patch_size":14,"norm_type":"layer_norm","qk_normalization":false,"qkv_bias":true}})"},
    {"OpenGVLab/InternVL3_5-8B-HF", 8'528'318'464,
     R"({"model_type":"internvl","dtype":"bfloat16","downsample_ratio":0.5,"text_config":{"model_type":"qwen3","hidden_size":4096,
         "intermediate_size":12288,"head_dim":128,"num_hidden_layers":36,"num_key_value_heads":8,"max_position_embeddings":40960},
         "vision_config":{"model_type":"internvl_vision","attention_bias":true,"image_size":[448,448],"patch_size":[14,14]}})"},
    {"LiquidAI/LFM2-VL-450M", 450'822'656,
     R"({"model_type":"lfm2-vl","torch_dtype":"bfloat16","downsample_factor":2,"projector_hidden_size":2560,"text_config":{"model_type":"lfm2",
         "hidden_size":1024,"num_hidden_layers":16,"num_attention_heads":16,"num_key_value_heads":8,"vocab_size":65536,
         "block_auto_adjust_ff_dim":true,"block_ff_dim":6656,"block_ffn_dim_multiplier":1.0,"block_multiple_of":256,"conv_L_cache":3,
         "full_attn_idxs":[2,5,8,10,12,14],"max_position_embeddings":128000},"vision_config":{"model_type":"siglip2_vision_model",
         "hidden_size":768,"intermediate_size":3072,"num_hidden_layers":12,"num_attention_heads":12,"num_patches":256,"patch_size":16,
         "image_size":256}})"},
    {"TIGER-Lab/VLM2Vec-Full", 4'146'621'440,
     R"({"model_type":"phi3_v","torch_dtype":"bfloat16","hidden_size":3072,"intermediate_size":8192,"num_hidden_layers":32,
         "num_attention_heads":32,"num_key_value_heads":32,"vocab_size":32064,"max_position_embeddings":131072,"sliding_window":262144})"},
    {"CohereLabs/aya-vision-8b", 8'631'842'032,
     R"({"model_type":"aya_vision","torch_dtype":"float16","alignment_intermediate_size":28672,"downsample_factor":2,"text_config":{
         "model_type":"cohere2","hidden_size":4096,"intermediate_size":14336,"num_attention_heads":32,"num_hidden_layers":32,
         "num_key_value_heads":8,"vocab_size":256000,"max_position_embeddings":16384,"sliding_window":4096},"vision_config":{
         "model_type":"siglip_vision_model","hidden_size":1152,"image_size":364,"intermediate_size":4304,"num_attention_heads":16,
         "num_hidden_layers":27,"patch_size":14,"vision_use_head":false}})"},
    // Sound too: Qwen2 hears through Whisper's encoder, Phi-4 through a conformer, with adapters for each kind.
    {"LCO-Embedding/LCO-Embedding-Omni-7B", 8'931'813'888,
     R"({"model_type":"qwen2_5_omni_thinker","torch_dtype":"bfloat16","text_config":{"hidden_size":3584,"intermediate_size":18944,
         "num_hidden_layers":28,"num_attention_heads":28,"num_key_value_heads":4,"vocab_size":152064,"max_position_embeddings":32768,
         "tie_word_embeddings":false},"vision_config":{"depth":32,"hidden_size":1280,"intermediate_size":3420,"num_heads":16,
         "out_hidden_size":3584,"patch_size":14},"audio_config":{"d_model":1280,"encoder_ffn_dim":5120,"encoder_layers":32}})"},
    {"microsoft/Phi-4-multimodal-instruct", 5'574'460'384,
     R"({"model_type":"phi4mm","torch_dtype":"bfloat16","hidden_size":3072,"intermediate_size":8192,"num_hidden_layers":32,
         "num_attention_heads":24,"num_key_value_heads":8,"vocab_size":200064,"max_position_embeddings":131072,"tie_word_embeddings":true,
         "sliding_window":262144,"vision_lora":{"r":256},"speech_lora":{"r":320}})"},
    {"openbmb/MiniCPM-V-2_6", 8'099'175'152,
     R"({"model_type":"minicpmv","version":2.6,"torch_dtype":"bfloat16","hidden_size":3584,"intermediate_size":18944,"num_hidden_layers":28,
         "num_attention_heads":28,"num_key_value_heads":4,"vocab_size":151666,"max_position_embeddings":32768,"query_num":64,
         "drop_vision_last_layer":false,"tie_word_embeddings":false,"vision_config":{"hidden_size":1152,"image_size":980,
         "intermediate_size":4304,"model_type":"siglip","num_attention_heads":16,"num_hidden_layers":27,"patch_size":14}})"},
    {"openbmb/MiniCPM-V-4", 4'059'533'040,
     R"({"model_type":"minicpmv","version":4.0,"torch_dtype":"bfloat16","hidden_size":2560,"intermediate_size":10240,"num_hidden_layers":32,
         "num_attention_heads":32,"num_key_value_heads":2,"head_dim":128,"vocab_size":73448,"max_position_embeddings":32768,"query_num":64,
         "drop_vision_last_layer":false,"tie_word_embeddings":false,"vision_config":{"hidden_size":1152,"image_size":980,
         "intermediate_size":4304,"num_attention_heads":16,"num_hidden_layers":27,"patch_size":14}})"},
    {"deepseek-ai/DeepSeek-OCR", 3'336'106'240,
     R"({"model_type":"deepseek_vl_v2","torch_dtype":"bfloat16","language_config":{"hidden_size":1280,"intermediate_size":6848,
         "moe_intermediate_size":896,"num_hidden_layers":12,"num_attention_heads":10,"num_key_value_heads":10,"n_routed_experts":64,
         "n_shared_experts":2,"num_experts_per_tok":6,"first_k_dense_replace":1,"vocab_size":129280,"max_position_embeddings":8192,
         "use_mla":false,"kv_lora_rank":null,"q_lora_rank":null},"vision_config":{"width":{"clip-l-14-224":{},"sam_vit_b":{}}}})"},
    {"Isotr0py/deepseek-vl2-tiny", 3'370'501'440,
     R"({"model_type":"deepseek_vl_v2","torch_dtype":"bfloat16","language_config":{"model_type":"deepseek_v2","hidden_size":1280,
         "intermediate_size":6848,"moe_intermediate_size":896,"num_hidden_layers":12,"num_attention_heads":10,"num_key_value_heads":10,
         "n_routed_experts":64,"n_shared_experts":2,"num_experts_per_tok":6,"first_k_dense_replace":1,"vocab_size":129280,
         "max_position_embeddings":4096,"use_mla":false},"projector_config":{"n_embed":1280},
         "vision_config":{"layers":27,"mlp_ratio":3.7362,"patch_size":14,"width":1152}})"},
    {"rednote-hilab/dots.ocr", 3'039'179'264,
     R"({"model_type":"dots_ocr","torch_dtype":"bfloat16","hidden_size":1536,"intermediate_size":8960,"num_hidden_layers":28,
         "num_attention_heads":12,"num_key_value_heads":2,"vocab_size":151936,"max_position_embeddings":131072,"tie_word_embeddings":false,
         "vision_config":{"embed_dim":1536,"intermediate_size":4224,"num_hidden_layers":42,"num_attention_heads":12,"patch_size":14}})"},
    {"stepfun-ai/Step3-VL-10B", 10'171'750'144,
     R"({"model_type":"step_robotics","torch_dtype":"bfloat16","projector_bias":false,"vision_config":{"image_size":728,"patch_size":14,
         "width":1536,"layers":47,"heads":16},"text_config":{"model_type":"qwen3","hidden_size":4096,"intermediate_size":12288,"head_dim":128,
         "num_hidden_layers":36,"num_key_value_heads":8,"max_position_embeddings":65536}})"},
    {"allenai/Molmo-7B-D-0924", 8'021'025'280,
     R"({"model_type":"molmo","torch_dtype":"float32","hidden_size":3584,"intermediate_size":37888,"num_hidden_layers":28,
         "num_attention_heads":28,"num_key_value_heads":4,"vocab_size":152064,"embedding_size":152064,"qkv_bias":true,
         "max_position_embeddings":4096})"},
};

TEST(VisionLanguage, ElementsAreThosePublished) {
  for (const Published& published : kPublished) {
    Notices warnings;
    const Result<Model> model = read_config(testing::parse(published.config), "config", warnings);
    ASSERT_TRUE(model.has_value()) << published.id << ": " << model.error().message;
    EXPECT_EQ(count_parameters(model->tensors).stored, published.elements) << published.id;
    EXPECT_TRUE(warnings.empty()) << published.id << ": " << warnings.front().message;
    ASSERT_TRUE(model->vision.has_value()) << published.id;
  }
}

/// The sum is the published count of all three: what thinks, what speaks, and what makes sound of it.
TEST(VisionLanguage, Qwen3OmniSpeaks) {
  Json config = testing::parse(
      R"({"model_type":"qwen3_omni_moe","thinker_config":{"text_config":{"hidden_size":2048,"num_hidden_layers":48,"num_attention_heads":32,
          "num_key_value_heads":4,"head_dim":128,"vocab_size":152064,"num_experts":128,"num_experts_per_tok":8,"moe_intermediate_size":768,
          "max_position_embeddings":65536,"tie_word_embeddings":false},"vision_config":{"depth":27,"hidden_size":1152,"intermediate_size":4304,
          "num_heads":16,"patch_size":16,"out_hidden_size":2048,"deepstack_visual_indexes":[8,16,24]},"audio_config":{"output_dim":2048}},
          "talker_config":{"text_config":{"head_dim":128,"shared_expert_intermediate_size":768},"code_predictor_config":{"num_code_groups":16}},
          "torch_dtype":"bfloat16"})");
  Notices warnings;
  const Result<Model> model = read_config(config, "config", warnings);
  ASSERT_TRUE(model.has_value()) << model.error().message;
  EXPECT_TRUE(warnings.empty()) << warnings.front().message;
  EXPECT_EQ(count_parameters(model->tensors).stored, 35'259'818'545);
  EXPECT_EQ(count_parameters(model->tensors).text, 30'532'646'912);
  config["enable_audio_output"] = false;
  EXPECT_EQ(count_parameters(read_config(config, "config", warnings)->tensors).stored, 31'719'205'488);
}

Result<Model> read(const Json& config, Notices& warnings) { return read_config(config, "config", warnings); }

TEST(VisionLanguage, AnImageIsAsManyTokensAsTheProjectorLeaves) {
  Notices warnings;
  const auto tokens = [&](const char* config) { return read(testing::parse(config), warnings)->vision->tokens_per_image; };
  EXPECT_EQ(tokens(kPublished[0].config), 24 * 24);
  EXPECT_EQ(tokens(kPublished[1].config), 24 * 24 * (2 * 2 + 1));  // the whole image, and the tiles of the largest grid
  EXPECT_EQ(tokens(kPublished[4].config), (32 / 4) * (32 / 4));
  EXPECT_EQ(tokens(kPublished[7].config), 16 * 16);
}

TEST(VisionLanguage, AnEncoderThatWeDoNotKnowIsSaidToBeMissing) {
  Json config = testing::parse(kPublished[0].config);
  config["vision_config"]["model_type"] = "convnext";
  Notices warnings;
  const Result<Model> model = read(config, warnings);
  ASSERT_TRUE(model.has_value());
  EXPECT_EQ(count_parameters(model->tensors).multimodal, 0);
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_EQ(warnings[0].code, "not_counted");
  EXPECT_EQ(warnings[0].where, "config.vision_config");
}

TEST(VisionLanguage, Ernie45HasExpertsOfItsOwnForImages) {
  Notices warnings;
  const Result<Model> model = read(
      testing::parse(
          R"({"model_type":"ernie4_5_moe_vl","hidden_size":2560,"intermediate_size":12288,"max_position_embeddings":131072,"num_attention_heads":20,
              "num_hidden_layers":28,"num_key_value_heads":4,"vocab_size":103424,"moe_num_experts":[64,64],"moe_intermediate_size":[1536,512],"moe_k":6,
              "moe_num_shared_experts":2,"moe_layer_start_index":[1,1],"moe_layer_end_index":[29,28],"torch_dtype":"bfloat16",
              "vision_config":{"depth":32,"hidden_size":1280,"in_channels":3,"mlp_ratio":4,"num_heads":16,"patch_size":14,"spatial_merge_size":2}})"),
      warnings);
  ASSERT_TRUE(model.has_value());
  EXPECT_TRUE(warnings.empty());
  const ParameterCounts counts = count_parameters(model->tensors);
  EXPECT_EQ(counts.text, 21'825'437'888);  // that of ERNIE-4.5-21B-A3B
  const std::int64_t experts = 27 * 64LL * (3 * 512 * 2560 + 2560 + 1);
  const std::int64_t block = 4 * (1280 * 1280 + 1280) + 2 * 4 * 1280 * 1280 + 5 * 1280 + 2 * 2 * 1280;
  const std::int64_t encoder = 1280 * 3 * 14 * 14 + 32 * block + 2 * 1280;
  const std::int64_t resampler = 5120LL * (5120 + 5120 + 10240 + 5120) + 2 * (2 + 2) * 5120 + 2560 * (5120 + 2);
  EXPECT_EQ(counts.multimodal, experts + encoder + resampler);
}

TEST(VisionLanguage, TheLanguageModelIsReadByItsOwnFamily) {
  Json config = testing::parse(kPublished[0].config);
  config["text_config"]["num_hidden_layers"] = "many";
  Notices warnings;
  const Result<Model> model = read(config, warnings);
  ASSERT_FALSE(model.has_value());
  EXPECT_EQ(model.error().where, "config.text_config.num_hidden_layers");
}

TEST(VisionLanguage, NamesOfTheLanguageModelAreInsideOfItsPart) {
  Notices warnings;
  const Result<Model> model = read(testing::parse(kPublished[0].config), warnings);
  ASSERT_TRUE(model.has_value());
  EXPECT_EQ(model->tensors.front().name, "language_model.model.embed_tokens.weight");
  EXPECT_EQ(model->tensors.front().role, TensorRole::embedding);
}

}  // namespace
}  // namespace weighbridge::vision_test
