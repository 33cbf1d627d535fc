// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "weighbridge/catalogue.hpp"

namespace weighbridge {

/// The one boundary that the page, the command line, the tests and the npm package share: JSON text in, JSON text out.
/// Request `{"method": …, "params": …}`; response `{"ok":true,"result":…,"warnings":[…]}` or `{"ok":false,"error":{…},"warnings":[…]}`.
/// It never throws and never fails in another way than that. Its only state is the loaded catalogue.
class Api {
 public:
  [[nodiscard]] std::string call(std::string_view request);

 private:
  Catalogue catalogue_;
};

}  // namespace weighbridge
