// SPDX-License-Identifier: Apache-2.0
// The real llama.cpp as a process that plans: planner.cpp, one question a line.
import { join } from 'node:path';
import { lineProcess } from './line_process.mjs';

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
