// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "key_reader.hpp"

namespace weighbridge {

/// The table of hashed n-grams of Qwen4-Exp (huggingface/transformers models/qwen4_exp, Qwen4ExpTextNGramEmbedding): for every n from 2 to
/// `ngram_size`, `heads_per_ngram` hashes with a prime number of rows each.
struct NgramTable {
  std::int64_t ngram_size = 3;
  std::int64_t heads_per_ngram = 8;
  std::int64_t least_rows = 20'000'000;  ///< of one hash
  std::int64_t divisor = 128;            ///< all rows together are padded to a multiple

  [[nodiscard]] std::int64_t n_heads() const { return (ngram_size - 1) * heads_per_ngram; }
  /// Rows of the `index`-th layer's table: each hash of each layer has a prime of its own, in ascending order.
  [[nodiscard]] std::int64_t rows(std::int64_t index) const;
};

[[nodiscard]] NgramTable read_ngram_table(KeyReader& config);

}  // namespace weighbridge
