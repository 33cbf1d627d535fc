// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "weighbridge/catalogue.hpp"
#include "weighbridge/result.hpp"

namespace weighbridge {

/// Links keep their whole state behind the `#`: `v=1&m=deepseek-r1&ctx=32k&n=16&g=8xh200`. Readable keys, fixed order, defaults left out.
/// What a link holds that this version does not know is kept and written again.
/// A model that is not of the catalogue is `hf=owner/name` (or the path of a file's page there), `c=` its packed config, or both; `c=-` says that
/// there was one that the link could not carry.

/// Result `{"hash": …}` of `share.encode`. Errors: wrong_type.
[[nodiscard]] Result<nlohmann::ordered_json> encode_link(const nlohmann::ordered_json& params, const Catalogue& catalogue);

/// Result of `share.decode`: request, view, kept keys and notices. No content makes it fail; a bad value becomes a notice and the default is used.
[[nodiscard]] Result<nlohmann::ordered_json> decode_link(const nlohmann::ordered_json& params, const Catalogue& catalogue);

}  // namespace weighbridge
