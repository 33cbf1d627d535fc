// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "json_text.hpp"
#include "weighbridge/read.hpp"

namespace weighbridge {

namespace {

/// Leaves out one key after the other and keeps the change wherever the whole config still reads as the same model.
class Minimizer {
 public:
  explicit Minimizer(const Json& config) : whole_(config), wanted_(read_config(config, "config", wanted_warnings_)) {}

  Json minimize() && {
    shrink(whole_);
    return std::move(whole_);
  }

 private:
  [[nodiscard]] bool reads_the_same() const {
    Notices warnings;
    const Result<Model> model = read_config(whole_, "config", warnings);
    return model && wanted_ && *model == *wanted_ && warnings.size() == wanted_warnings_.size();
  }

  void shrink(Json& object) {
    std::vector<std::string> keys;
    for (const auto& item : object.items()) keys.push_back(item.key());
    for (const std::string& key : keys) {
      const Json before = object;
      object.erase(key);
      if (reads_the_same()) continue;
      object = before;
      if (object[key].is_object()) shrink(object[key]);
    }
  }

  Json whole_;
  Notices wanted_warnings_;
  Result<Model> wanted_;
};

}  // namespace

Json minimal_config(const Json& config) { return Minimizer(config).minimize(); }

}  // namespace weighbridge
