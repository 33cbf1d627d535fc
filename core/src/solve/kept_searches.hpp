// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "weighbridge/estimate.hpp"

namespace weighbridge {

/// What a search for the best weights of one model found whatever the context. Borrows the model.
struct KeptSearch {
  /// A format, and what is known of the file.
  struct Rung {
    std::string format;
    std::unique_ptr<Prepared> prepared;  ///< made when an engine is asked
    Bytes weights;
    Bytes tables;  ///< of them, embeddings: llama.cpp keeps them on the host
    /// The longest contexts that surely hold, in steps, by the share of the memory that a search may move.
    std::map<std::optional<double>, std::int64_t> longest;
  };
  std::map<std::string, Rung, std::less<>> rungs;  ///< by format
};

/// Searches that are asked again with another context and all else the same: a list of models beside a slider. Those of one scenario, of the first
/// models that are asked for, since a list asks for what is on the screen first.
class KeptSearches {
 public:
  /// Null if it is one too many. `model` must be the same at the same address until clear().
  [[nodiscard]] KeptSearch* find(const Model& model, const Scenario& scenario) {
    Scenario others = scenario;
    others.context_tokens = 0;
    if (!(others == scenario_)) {
      clear();
      scenario_ = std::move(others);
    }
    if (searches_.size() == kMost && searches_.find(&model) == searches_.end()) return nullptr;
    return &searches_[&model];
  }
  void clear() { searches_.clear(); }

 private:
  static constexpr std::size_t kMost = 64;  // twice a screenful; of each a few hundred kB
  Scenario scenario_;                       ///< without its context
  std::map<const Model*, KeptSearch> searches_;
};

}  // namespace weighbridge
