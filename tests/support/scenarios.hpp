// SPDX-License-Identifier: Apache-2.0
// Random questions for the solvers, the same ones in every run.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>

#include "api_fixture.hpp"
#include "embedded.hpp"
#include "method.hpp"
#include "request.hpp"

namespace weighbridge::testing {

class Scenarios {
 public:
  Scenarios() : catalogue_(reading().read_config) { EXPECT_TRUE(catalogue_.load(parse(embedded("models.json")), parse(embedded("gpus.json")))); }

  /// The params of an estimate: any model on any machine, with a context and a size of system memory.
  Json next_params(const char* engine) {
    const CatalogueModel& model = pick(catalogue_.models());
    const Device& device = pick(catalogue_.devices()).device;
    const std::int64_t context = std::min(std::int64_t{256} << number(10), model.summary.max_context_tokens);
    Json params{{"model", {{"id", model.id}}},
                {"engine", {{"name", engine}}},
                {"workload", {{"context_tokens", context - number(context / 2)}, {"sequences", number(4) == 0 ? 1 + number(8) : 1}}},
                {"hardware", Json::array({{{"device", device.id}, {"count", number(3) == 0 ? std::int64_t{1} << number(4) : 1}}})}};
    if (number(2) == 0) params["host"] = {{"memory_bytes", (std::int64_t{8} << number(6)) * kGiBytes}};
    return params;
  }

  [[nodiscard]] Result<Request> read(const Json& params) const {
    Notices warnings;
    return read_request(params, catalogue_, warnings);
  }

  Result<Request> next(const char* engine) { return read(next_params(engine)); }

  [[nodiscard]] const Catalogue& catalogue() const { return catalogue_; }
  std::int64_t number(std::int64_t below) { return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(below)); }
  template <class List>
  const typename List::value_type& pick(const List& list) {
    return list[static_cast<std::size_t>(number(static_cast<std::int64_t>(list.size())))];
  }

 private:
  Catalogue catalogue_;
  std::mt19937_64 random_{20261129};
};

/// WEIGHBRIDGE_SCENARIOS asks for more than a run of all tests has time for.
inline int scenarios(int usual) {
  const char* asked = std::getenv("WEIGHBRIDGE_SCENARIOS");
  return asked != nullptr ? std::atoi(asked) : usual;
}

}  // namespace weighbridge::testing
