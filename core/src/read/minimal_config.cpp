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
    if (object.size() > kMostKeys) return;
    std::vector<std::string> keys;
    for (const auto& item : object.items()) keys.push_back(item.key());
    std::size_t n_kept = 0;
    for (const std::string& key : keys) {
      Json value = std::move(object[key]);
      object.erase(key);
      if (reads_the_same()) continue;
      put_back(object, n_kept++, key, std::move(value));
      if (object[key].is_object()) shrink(object[key]);
    }
  }

  /// Behind the first `place` keys: an object takes new ones at its end only. Nothing is copied.
  static void put_back(Json& object, std::size_t place, const std::string& key, Json value) {
    Json whole = Json::object();
    for (const auto& item : object.items()) {
      if (whole.size() == place) whole[key] = std::move(value);
      whole[item.key()] = std::move(item.value());
    }
    if (whole.size() == place) whole[key] = std::move(value);
    object = std::move(whole);
  }

  /// An object of more keys is a list of modules, which count all (22,000 in `quantized_layers` of MiniMax-M3-NVFP4); configs have up to a hundred.
  static constexpr std::size_t kMostKeys = 512;

  Json whole_;
  Notices wanted_warnings_;
  Result<Model> wanted_;
};

}  // namespace

Json minimal_config(const Json& config) { return Minimizer(config).minimize(); }

}  // namespace weighbridge
