// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "json_text.hpp"
#include "weighbridge/advise.hpp"

namespace weighbridge {

struct Engine;

/// `first` and then `second`, as one merge patch: what both name is what the second says.
[[nodiscard]] Json together(Json first, const Json& second);

/// A request with changes, read and ready to be counted.
struct Setup {
  Scenario scenario;
  Prepared* prepared = nullptr;
};

/// Requests that differ from one by a patch. They are read as any request is, so that an outcome is that of what the patch makes; each model is
/// prepared once in each format.
class Trials {
 public:
  Trials(const Json& params, const Model& model, const std::vector<Model>& relatives, const Catalogue& catalogue);

  /// Fails if the request cannot be read: a value that the model or the engine does not take.
  [[nodiscard]] Result<Setup> read(const Json& patch);
  /// A context that the engine refuses, however little is needed, is no fit. Of what does not fit anyway told() says so.
  [[nodiscard]] Result<Estimate> evaluate(const Setup& setup);
  /// The same to the byte even if it does not fit by far.
  [[nodiscard]] Result<Estimate> evaluate_exactly(const Setup& setup);

  /// A smaller relative with its layers; null if the catalogue only lists it.
  [[nodiscard]] const Model* find_relative(const std::string& id) const;
  [[nodiscard]] const Model& model() const { return model_; }
  [[nodiscard]] const Catalogue& catalogue() const { return catalogue_; }
  /// What the request says of anything but its model.
  [[nodiscard]] const Json& params() const { return params_; }
  /// Whether it leaves some of the model on the host itself, and not the engine because it has to.
  [[nodiscard]] bool asks_for_offload() const;
  /// The option's value in the request; null if it is not given.
  [[nodiscard]] Json option(std::string_view name) const;

 private:
  Json params_;
  const Model& model_;
  const std::vector<Model>& relatives_;
  const Catalogue& catalogue_;
  std::optional<Scenario> place_;  ///< devices and host with what other models take of them; empty: no others
  std::map<std::pair<const Model*, std::string>, std::unique_ptr<Prepared>> prepared_;
};

/// A request on the way to more room: what was changed already, and what that comes to.
struct Situation {
  Trials& trials;
  Json patch;
  Setup setup;
  Estimate answer;
  AdviceGoal goal = AdviceGoal::fit;

  [[nodiscard]] const Scenario& scenario() const { return setup.scenario; }
  /// The answer with one more patch; nothing if it cannot be read or does not run.
  [[nodiscard]] std::optional<Estimate> with(const Json& more) const;
  [[nodiscard]] bool fits_with(const Json& more) const;
};

/// A weights format or a type of the cache: what it costs, and what was published about that, if anything.
struct FormatPrice {
  std::string_view format;
  Price price;
  const QualityNote* note;
};

/// Whether it may just fit: by the best figure, and not surely.
[[nodiscard]] bool may_fit(const Estimate& answer);

/// Null for a format that advice does not name, as the checkpoint's.
[[nodiscard]] const FormatPrice* price_of_weights(std::string_view format);

/// Types of the cache that `engine` has and that advice names, the least loss first: "auto", then narrower ones.
[[nodiscard]] std::vector<std::string_view> cache_types_by_loss(const Engine& engine);

/// Settings with values of their own. The order is that of Strategy.
[[nodiscard]] std::vector<Change> setting_changes(const Situation& now);

/// Settings whose value is looked for: the one that surely fits, or else one that shows how far it goes. `with_host`:
/// what may lie in system memory is looked for as well.
[[nodiscard]] std::vector<Change> solved_changes(const Situation& now, bool with_host);

/// The share of each card that surely leaves room for what lies outside of it, whatever lies inside; nothing where the present one does.
[[nodiscard]] std::optional<Change> safe_share(const Situation& now);

/// llama.cpp in place of an engine under which nothing surely fits, with the weights that lose least: of four bits or more, wholly on the devices, or
/// in system memory where there are none. Nothing where they do not fit either, or where the devices are in several machines.
[[nodiscard]] std::vector<Change> engine_changes(const Situation& now);

/// The largest smaller relative that surely fits, else the largest that may, or the smallest if none does. `unread` is given those that could not be
/// counted.
[[nodiscard]] std::vector<Change> model_changes(const Situation& now, std::vector<std::string>& unread);

}  // namespace weighbridge
