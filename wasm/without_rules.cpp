// SPDX-License-Identifier: Apache-2.0
// What the first module does without, which is over half of the core: the rules of llama.cpp and what runs it, of serving engines beside vLLM and of
// libraries, with their options; vLLM's pools for compressed attention, what drafts for it, ranks that share a cache and what its arguments may be;
// the tensors of GGUF files, which only engines with rules elsewhere load; what finds another setting where one is refused; what counts models that
// run beside another one; and the solver that asks a whole catalogue. A request for one of them is answered with an error at `params.engine.module`,
// and the page brings the module that has them all.
#include "engine/local_rules.hpp"
#include "engine/serving_rules.hpp"
#include "method.hpp"
#include "solve/running.hpp"
#include "weighbridge/fit.hpp"
#include "weighbridge/gguf.hpp"

namespace weighbridge {

bool has_local_rules() { return false; }
LocalRules local_rules() { return {}; }
ServingRules serving_rules() { return {}; }
std::optional<std::int64_t> solve_gpu_layers(Prepared&, const Scenario&, std::int64_t) { return std::nullopt; }
void add_solving(std::vector<Method>&) {}
std::vector<Tensor> gguf_tensors(const Model&, std::string_view) { return {}; }
std::vector<Tensor> gguf_tensors_with_predictions(const Model&, std::string_view) { return {}; }
void change_gguf_format(const Model&, std::string_view, std::vector<Tensor>&) {}
Json running_as_given(const Json&) { return {}; }
void describe_running_on_device(const Scenario&, std::size_t, JsonOut&) {}
void describe_running_on_host(const Scenario&, JsonOut&) {}

}  // namespace weighbridge
