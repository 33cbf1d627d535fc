// SPDX-License-Identifier: Apache-2.0
#include "engine/device_context.hpp"

namespace weighbridge {

Taken driver_context(const Device& device) {
  // 195 to 236 MiB were seen on cards of 16 and 22 GiB, 348 to 625 on larger ones.
  if (device.runtime_bytes >= 23 * kGiB) return {512 * kMiB, 340 * kMiB, 768 * kMiB};
  return {236 * kMiB, 190 * kMiB, 768 * kMiB};
}

/// Beside a GPU of the same machine the receiver alone has buffers (NVIDIA/nccl@5067397 src/transport/p2p.cc p2pRecvSetup); over a network each
/// channel has some to send from as well, of two protocols (src/transport/net.cc sendProxyConnect; sizes by computeBuffSizes of src/init.cc),
/// and all share some for messages between two ranks, once to send and once to receive (sharedNetBuffersInit). Of this an adapter that does not
/// read GPU memory needs nothing there.
Bytes network_buffers(std::int64_t nodes) {
  if (nodes == 1) return {};
  constexpr std::uint64_t channels = 64;                              // MAXCHANNELS
  constexpr Bytes simple = 4 * kMiB;                                  // DEFAULT_BUFFSIZE
  constexpr Bytes ll128(std::uint64_t{120} * 640 * 8 * 8);            // DEFAULT_LL128_BUFFSIZE
  constexpr Bytes shared = 2 * (Bytes(std::uint64_t{16} * 131'072));  // NCCL_SHARED_STEPS x NCCL_P2P_NET_CHUNKSIZE
  return (simple + ll128 + shared) * channels;
}

namespace {

/// They grow with channels and peers, and nobody publishes a formula. Hopper and Blackwell servers reduce through NVSwitch, with larger buffers;
/// a card we do not know is counted as one of them.
Taken buffers_of_a_machine(std::int64_t ranks, int compute_capability) {
  if (ranks == 1) return {};
  const bool through_switch = compute_capability == 0 || compute_capability / 10 == 9 || compute_capability / 10 == 10;
  // 635 MiB on 2 x RTX PRO 6000; 2,099 on L4 with torch 2.11 (pytorch/pytorch#175666) and 2,100 on 3 x RTX PRO 6000.
  if (!through_switch) return {635 * kMiB, 90 * kMiB, 2100 * kMiB};
  // 1.38 GiB with all else outside torch on 2 x H200 under vLLM 0.10.2.
  if (ranks == 2) return {1250 * kMiB, 90 * kMiB, 2100 * kMiB};
  // 1,690 MiB on 8 x H200, 342 to 392 in ai-dynamo/aiconfigurator's tables, up to 4,628 on H100 (vllm-project/vllm#25359).
  return {1690 * kMiB, 340 * kMiB, 4630 * kMiB};
}

}  // namespace

Taken nccl_buffers(std::int64_t ranks, int compute_capability, std::int64_t nodes) {
  Taken taken = buffers_of_a_machine(ranks, compute_capability);
  taken.high += network_buffers(nodes);
  return taken;
}

void add_context(Term& term, const Taken& context, const Taken& nccl, bool explain) {
  term.bytes += context.usual + nccl.usual;
  term.low += context.low + nccl.low;
  term.high += context.high + nccl.high;
  if (!explain) return;
  if (context.usual > Bytes()) term.formula.rows.push_back({"driver_context", {}, context.usual, true});
  if (nccl.usual > Bytes()) term.formula.rows.push_back({"nccl", {}, nccl.usual, true});
}

}  // namespace weighbridge
