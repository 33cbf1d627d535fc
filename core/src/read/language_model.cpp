// SPDX-License-Identifier: Apache-2.0
#include "read/language_model.hpp"

#include <array>

#include "json_text.hpp"
#include "read/assumed_decoder.hpp"
#include "read/decoder.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

namespace {

/// What a class takes for keys that are left out (huggingface/transformers models/<type>/configuration_<type>.py); families that are not here know
/// their defaults themselves.
struct ClassKeys {
  std::string_view type;
  std::int64_t hidden_size;
  std::int64_t intermediate_size;
  std::int64_t num_hidden_layers;
  std::int64_t num_attention_heads;
  std::int64_t num_key_value_heads;  ///< 0: as many as heads
  std::int64_t vocab_size;
  std::int64_t max_position_embeddings;
};

constexpr std::array kClasses{
    ClassKeys{"llama", 4096, 11008, 32, 32, 0, 32000, 2048},      ClassKeys{"mistral", 4096, 14336, 32, 32, 8, 32000, 131072},
    ClassKeys{"qwen2", 4096, 22016, 32, 32, 32, 151936, 32768},   ClassKeys{"qwen3", 4096, 22016, 32, 32, 32, 151936, 32768},
    ClassKeys{"internlm2", 4096, 11008, 32, 32, 0, 103168, 2048}, ClassKeys{"phi3", 3072, 8192, 32, 32, 0, 32064, 4096},
    ClassKeys{"deepseek", 4096, 11008, 30, 32, 32, 102400, 2048},
};

void fill(Json& text, const char* key, std::int64_t value) {
  const auto found = text.find(key);
  if (value > 0 && (found == text.end() || found->is_null())) text[key] = value;
}

/// `text` with what its class takes for keys that it leaves out; tied as the whole config says unless it says so itself.
Json with_defaults(Json text, std::string_view type, const Json& outer) {
  for (const ClassKeys& known : kClasses) {
    if (known.type != type) continue;
    fill(text, "hidden_size", known.hidden_size);
    fill(text, "intermediate_size", known.intermediate_size);
    fill(text, "num_hidden_layers", known.num_hidden_layers);
    fill(text, "num_attention_heads", known.num_attention_heads);
    const Json& heads = text["num_attention_heads"];
    fill(text, "num_key_value_heads", known.num_key_value_heads > 0 ? known.num_key_value_heads : whole_number_of(heads).value_or(0));
    fill(text, "vocab_size", known.vocab_size);
    fill(text, "max_position_embeddings", known.max_position_embeddings);
    if (type == "mistral" && !text.contains("sliding_window")) text["sliding_window"] = 4096;
  }
  const auto tied = outer.find("tie_word_embeddings");
  if (!text.contains("tie_word_embeddings") && tied != outer.end()) text["tie_word_embeddings"] = *tied;
  return text;
}

}  // namespace

void read_language_model(KeyReader& config, Draft& draft, const LanguagePlace& place) {
  const std::optional<KeyReader> inner = text_part(config);
  if (!inner) return;
  KeyReader probe = *inner;
  const bool stands_apart = &inner->json() != &config.json();  // else the type is that of the whole, which would be read without an end
  std::string type = stands_apart ? probe.text_if_given("model_type").value_or(std::string(place.type)) : std::string(place.type);
  if (type == "deepseek_v2" && !probe.flag_or("use_mla", true)) type = "deepseek";  // DeepSeek-VL2 and -OCR: experts with plain attention
  const Json filled = with_defaults(inner->json(), type, config.json());
  KeyReader text = config.over(filled, first_key(config, {"text_config", "llm_config", "language_config"}));
  draft.model.architecture = type;
  draft.tensors.root(place.root);
  const FamilyReader family = find_family(type);
  family != nullptr ? family(text, draft) : read_assumed_decoder(text, draft);
  draft.tensors.root({});
  config.adopt(text);
}

}  // namespace weighbridge
