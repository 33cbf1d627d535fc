// SPDX-License-Identifier: Apache-2.0
// weighbridge_truth FOLDER CATALOGUE [--update]: scores the core against measured records, prints the scores, and fails if an error bound is broken
// or a score is worse than FOLDER/scoreboard.json. --update writes that file anew instead.
#include <fstream>

#include "truth.hpp"

int main(int argc, char** argv) {
  using namespace weighbridge::truth;
  const bool updates = argc == 4 && std::string(argv[3]) == "--update";
  if (argc != 3 && !updates) {
    std::fprintf(stderr, "usage: weighbridge_truth FOLDER CATALOGUE [--update]\n");
    return 2;
  }
  const std::string folder = argv[1];
  const Models models = read_models(folder);
  Scoreboard board;
  const bool parameters = check_parameters(argv[2], board);
  const bool mix = check_mix(folder, models);
  const bool contexts = check_contexts(folder, argv[2], board);
  const bool extras = check_extras(folder, argv[2], board);
  const bool fits = check_fits(folder, argv[2]);
  const bool logs = check_logs(folder);
  const bool serving = check_serving(folder, board);
  const bool speed = check_speed(folder, board);
  board.print();
  if (updates) std::ofstream(folder + "/scoreboard.json") << text_of(board.to_json());
  const bool kept = updates || board.holds_against(read_json(folder + "/scoreboard.json"));
  return parameters && mix && contexts && extras && fits && logs && serving && speed && kept ? 0 : 1;
}
