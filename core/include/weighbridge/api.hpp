// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "weighbridge/catalogue.hpp"

namespace weighbridge {

/// What turns files into models: the readers of config.json and of model files. A build without it is smaller and counts models by id and spec.
struct Reading;
[[nodiscard]] const Reading& reading();

/// The one boundary that the page, the command line, the tests and the npm package share: JSON text in, JSON text out.
/// Request `{"method": …, "params": …}`; response `{"ok":true,"result":…,"warnings":[…]}` or `{"ok":false,"error":{…},"warnings":[…]}`.
/// It never throws and never fails in another way than that. Its only state is the loaded catalogue.
class Api {
 public:
  /// Counts models of the catalogue, and models that were read elsewhere.
  Api() = default;
  /// Reads files as well.
  explicit Api(const Reading& reading);

  [[nodiscard]] std::string call(std::string_view request);

 private:
  const Reading* reading_ = nullptr;
  Catalogue catalogue_;
};

}  // namespace weighbridge
