// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "weighbridge/model.hpp"

namespace weighbridge {

/// A list of modules as quantizers write it: names, parts of names, globs ("*lm_head*", "model.layers.0*"), regular expressions ("re:.*attn.*").
/// A name counts for the modules inside it, and wherever whole parts of a module's name equal it ("mlp.gate" is not "mlp.gate_proj"). Lists that
/// name layers one by one are kept as one pattern with a set of layers; of experts, naming one means all.
class ModulePatterns {
 public:
  /// False, and nothing added, if it is a regular expression that we do not know.
  [[nodiscard]] bool add(std::string_view pattern);
  [[nodiscard]] bool add_regex(std::string_view pattern);
  [[nodiscard]] bool empty() const { return patterns_.empty(); }

  /// Sets marks[i] for each layer tensor.layers.at(i) whose tensor the list names. `first_mtp` is the number of the first layer that is not text.
  void mark(const Tensor& tensor, std::int64_t first_mtp, std::vector<char>& marks) const;

 private:
  struct Pattern {
    std::string text;
    bool is_regex = false;
    bool names_digits = false;  ///< what it matches can depend on the layer's number
    std::vector<char> layers;   ///< by number, if the text has `{layer}` in its place; empty: `text` is complete
  };

  std::vector<Pattern> patterns_;
};

}  // namespace weighbridge
