// SPDX-License-Identifier: Apache-2.0
// The first module has no rules of llama.cpp and what runs it, nor of serving engines beside vLLM: over half of the core, which a first view does
// without. A request for one of them is answered with an error at `params.engine.module`, and the page brings the module that has them all.
#include "engine/local_rules.hpp"
#include "engine/serving_rules.hpp"

namespace weighbridge {

LocalRules local_rules() { return {}; }
ServingRules serving_rules() { return {}; }

}  // namespace weighbridge
