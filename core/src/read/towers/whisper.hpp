// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "key_reader.hpp"
#include "read/draft.hpp"

namespace weighbridge {

/// Whisper's sound encoder (huggingface/transformers models/whisper).
struct Whisper {
  std::int64_t width = 0;
  std::int64_t ffn_size = 0;
  std::int64_t n_layers = 0;
  std::int64_t n_mels = 0;
  std::int64_t n_positions = 0;
};

/// The sizes in `audio_config`; what it leaves out are those of Whisper large-v3. Nothing, and a warning, if there is no `audio_config`.
[[nodiscard]] std::optional<Whisper> read_whisper(KeyReader& config);
/// The encoder without its last norm, whose name differs; names begin with `root`. Positions are computed anew unless `stores_positions`.
void add_whisper(TensorList& tensors, const Whisper& whisper, std::string_view root, bool stores_positions);

}  // namespace weighbridge
