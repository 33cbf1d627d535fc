// SPDX-License-Identifier: Apache-2.0
// The first module has no rules of llama.cpp and what runs it, nor of serving engines beside vLLM and of libraries: over half of the core, which a
// first view does without; nor vLLM's pools for compressed attention and models that draft for it; nor what finds another setting where one is
// refused; nor what reads the other engines' options, what counts models that run beside another one, nor the solver that asks them of a whole
// catalogue. A request for one of them is answered with an error at `params.engine.module`, and the page brings the module that has them all.
#include "engine/local_rules.hpp"
#include "engine/serving_rules.hpp"
#include "method.hpp"
#include "running.hpp"
#include "weighbridge/fit.hpp"

namespace weighbridge {

LocalRules local_rules() { return {}; }
ServingRules serving_rules() { return {}; }
std::optional<std::int64_t> solve_gpu_layers(Prepared&, const Scenario&, std::int64_t) { return std::nullopt; }
void add_solving(std::vector<Method>&) {}
Json running_as_given(const Json&) { return {}; }
void describe_running_on_device(const Scenario&, std::size_t, JsonOut&) {}
void describe_running_on_host(const Scenario&, JsonOut&) {}

}  // namespace weighbridge
