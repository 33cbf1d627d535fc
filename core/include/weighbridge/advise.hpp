// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "weighbridge/catalogue.hpp"
#include "weighbridge/estimate.hpp"

namespace weighbridge {

/// The settings that advice moves, one at a time or two together.
enum class Strategy {
  share,         ///< the part of each card that the engine lets itself use
  raised_limit,  ///< unified memory: the part that the system lets the GPU use
  drafting,      ///< tokens drafted ahead
  step,          ///< tokens of a prompt that one step takes
  split,         ///< how the model is spread over the same GPUs
  graphs,        ///< captured CUDA graphs
  images,        ///< the image or audio encoder
  cache,         ///< type of the KV cache
  weights,       ///< weights format
  context,       ///< tokens of each sequence
  sequences,     ///< requests at the same time
  engine,        ///< llama.cpp in place of the engine
  experts,       ///< routed experts of some layers in system memory
  layers,        ///< whole layers in system memory
  model,         ///< a smaller relative
  devices,       ///< more GPUs of the same kind
};

/// What a change costs. The order is that of loss, the least first: nothing, what only other programs miss, then speed, then quality by what was
/// published about the formats (advise_settings.cpp names the sources), then what the model is asked to do, then another program, then speed by
/// orders of magnitude, then quality that nobody would call the same, then another model, and money last.
enum class Price {
  as_published,
  less_for_others,
  less_cache,
  no_drafts,
  slower_prompts,
  more_traffic,
  slower_tokens,
  cache_8bit,
  weights_8bit,
  weights_6bit,
  weights_5bit,
  weights_4bit,
  cache_4bit,
  no_images,
  shorter_context,
  fewer_requests,
  other_engine,
  engine_on_host,
  experts_on_host,
  layers_on_host,
  weights_3bit,
  weights_2bit,
  smaller_model,
  more_devices,
};

/// What someone measured of a format's quality, and published.
struct QualityNote {
  std::string_view code;   ///< of the sentence that says it
  std::string_view value;  ///< the figure in it, may be empty
  std::string_view text;   ///< the source
  std::string_view url;
};

/// One setting moved.
struct Change {
  Strategy strategy = Strategy::weights;
  Price price = Price::less_for_others;
  double extent = 0;             ///< of two changes with one price, the larger one loses more
  nlohmann::ordered_json from;   ///< what it was, as a request says it; null where nothing was said
  nlohmann::ordered_json to;     ///< what it becomes
  nlohmann::ordered_json patch;  ///< of the request: a JSON merge patch (RFC 7396)
  const QualityNote* note = nullptr;
};

/// One or two changes, and what comes of them.
struct Advice {
  std::vector<Change> changes;         ///< the one that costs most first
  nlohmann::ordered_json patch;        ///< of all of them
  Scenario scenario;                   ///< that the patched request describes
  Estimate answer;                     ///< to it, without formulas: verdict and figures are those of estimate()
  std::optional<std::int64_t> gained;  ///< bytes of room more, where the verdict is decided; empty where one of the two does not run
  bool is_enough = true;               ///< false: named so that nobody tries it alone
};

enum class AdviceGoal { fit, room };

struct AdviceList {
  AdviceGoal goal = AdviceGoal::fit;
  std::vector<Advice> rows;                   ///< at most kMostAdvice
  std::vector<std::string> unread_relatives;  ///< smaller relatives that the catalogue lists and whose specs it was not given
};

inline constexpr std::size_t kMostAdvice = 5;

/// What would make a request fit, the least loss first, with at most one change that is not enough alone; or, where it fits by its high bound,
/// what would give more room, the largest gain first. `params` are those of `estimate`, whose answer every outcome is, with the patch merged in;
/// changes that the engine, the GPU or the model refuses are not among them. A row is left out if another one costs no more of anything and comes
/// to no less, or of two pairs, the one that also asks less of the model. What surely fits with the model as it is takes its place before what only
/// may. `relatives` are models that came with the request, of those that the catalogue only lists. Fails as estimate() does.
[[nodiscard]] Result<AdviceList> advise(const nlohmann::ordered_json& params, const Model& model, const std::vector<Model>& relatives,
                                        const Catalogue& catalogue);

[[nodiscard]] std::string_view name_of(Strategy strategy);
[[nodiscard]] std::string_view name_of(Price price);

}  // namespace weighbridge
