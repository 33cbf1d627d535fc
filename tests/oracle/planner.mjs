// SPDX-License-Identifier: Apache-2.0
// The real llama.cpp as a process that plans: planner.cpp, one question a line.
import { join } from 'node:path';
import { lineProcess } from './line_process.mjs';
import { built as builtHere, packages as packagesHere } from './where.mjs';

/**
 * Starts the planner of one flavour.
 * @param {{packages: string, built: string, flavour: 'cpu' | 'cuda', gpus?: number}} where `packages` holds node_modules, `built` what build.sh made
 */
export function startPlanner({ packages, built, flavour, gpus = 4 }) {
  const name = flavour === 'cuda' ? 'linux-x64-cuda' : 'linux-x64';
  const backends = join(packages, 'node_modules/@node-llama-cpp', name, 'bins', name);
  return lineProcess(join(built, flavour === 'cuda' ? 'planner-cuda' : 'planner'), [backends], {
    EMPTY_DRIVER_DEVICES: String(gpus),
    GGML_NO_BACKTRACE: '1',
    LD_LIBRARY_PATH: `${built}:${backends}`,
  });
}

/** What asks clip.cpp about image encoders, on one device without a driver or on the processor. */
export function projectorProcess() {
  const backends = join(packagesHere.cuda, 'node_modules/@node-llama-cpp/linux-x64-cuda/bins/linux-x64-cuda');
  return lineProcess(join(builtHere, 'projector-cuda'), [backends], {
    EMPTY_DRIVER_DEVICES: '1',
    GGML_NO_BACKTRACE: '1',
    LD_LIBRARY_PATH: `${builtHere}:${backends}`,
  });
}
