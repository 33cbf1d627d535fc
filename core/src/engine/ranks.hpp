// SPDX-License-Identifier: Apache-2.0
#pragma once

// What serving engines that grew from vLLM's layers share: how a tensor is split over the ranks of a tensor-parallel group.
#include "engine/vllm.hpp"

namespace weighbridge {

using vllm::expert_padding;
using vllm::ExpertPadding;
using vllm::local_part;
using vllm::nearest_split;
using vllm::split_problem;

}  // namespace weighbridge
