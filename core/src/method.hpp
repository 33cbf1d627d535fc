// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "json_out.hpp"
#include "read/file_methods.hpp"
#include "response.hpp"
#include "weighbridge/catalogue.hpp"
#include "weighbridge/read.hpp"

namespace weighbridge {

struct Reading;

/// What methods keep for their next call. It borrows of the catalogue, and changes no answer.
struct Kept {
  std::shared_ptr<void> solved;  ///< what `solve` found of models of the catalogue
  KeptFormats formats;
};

/// What a method works with besides its params.
struct Context {
  Catalogue& catalogue;
  Notices& warnings;
  Kept& kept;
  FileMethods* files = nullptr;      ///< null in a build that only counts
  const Reading* reading = nullptr;  ///< likewise
};

/// One method of the wire.
struct Method {
  std::string_view name;
  Result<JsonOut> (*run)(const Json& params, Context& context);
};

/// `launch`: the engine with the settings of a request, as a line for a shell (launch.cpp).
[[nodiscard]] Result<JsonOut> call_launch(const Json& params, Context& context);

/// `advise`: what would make a request fit, or give it more room (advise_method.cpp).
[[nodiscard]] Result<JsonOut> call_advise(const Json& params, Context& context);

/// `sweep`: one axis, many points, one call (sweep_method.cpp).
[[nodiscard]] Result<JsonOut> call_sweep(const Json& params, Context& context);

/// `compare_devices`: the same job on other devices or machines (compare_method.cpp).
[[nodiscard]] Result<JsonOut> call_compare_devices(const Json& params, Context& context);

/// Adds what needs the rules of every engine and is brought with them, `solve` and those it names; nothing where they are not
/// (wasm/without_rules.cpp).
void add_solving(std::vector<Method>& methods);

/// What a build that reads files adds to one that only counts.
struct Reading {
  ConfigReader read_config = nullptr;
  std::vector<Method> methods;
  std::vector<std::string_view> architectures;  ///< what a config.json may name as its model_type
  std::unique_ptr<FileMethods> (*file_methods)() = nullptr;
};

}  // namespace weighbridge
