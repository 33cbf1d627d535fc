// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "key_reader.hpp"
#include "weighbridge/scenario.hpp"

namespace weighbridge {

/// Reads the options of the libraries (LibraryOptions); false for any other engine.
[[nodiscard]] bool read_library_options(KeyReader& reader, Scenario& scenario);

/// The options that were given, as they would be asked for again of `engine`; false for an engine that is none of these.
[[nodiscard]] bool describe_library_options(const LibraryOptions& options, std::string_view engine, Json& json);

}  // namespace weighbridge
