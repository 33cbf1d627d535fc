// SPDX-License-Identifier: Apache-2.0
// weighbridge_truth FOLDER CATALOGUE: scores the core against measured records, prints a table, and fails if an error bound is broken.
#include "truth.hpp"

int main(int argc, char** argv) {
  using namespace weighbridge::truth;
  if (argc != 3) {
    std::fprintf(stderr, "usage: weighbridge_truth FOLDER CATALOGUE\n");
    return 2;
  }
  const std::string folder = argv[1];
  const Models models = read_models(folder);
  const bool parameters = check_parameters(argv[2]);
  const bool mix = check_mix(folder, models);
  const bool contexts = check_contexts(folder);
  const bool fits = check_fits(folder);
  return parameters && mix && contexts && fits ? 0 : 1;
}
