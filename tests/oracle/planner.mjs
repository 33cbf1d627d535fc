// SPDX-License-Identifier: Apache-2.0
// The real llama.cpp as a process that plans: planner.cpp, one question a line.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/**
 * Starts the planner of one flavour.
 * @param {{packages: string, built: string, flavour: 'cpu' | 'cuda', gpus?: number}} where `packages` holds node_modules, `built` what build.sh made
 */
export function startPlanner({ packages, built, flavour, gpus = 4 }) {
  const name = flavour === 'cuda' ? 'linux-x64-cuda' : 'linux-x64';
  const backends = join(packages, 'node_modules/@node-llama-cpp', name, 'bins', name);
  const environment = { ...process.env, GGML_NO_BACKTRACE: '1', EMPTY_DRIVER_DEVICES: String(gpus), LD_LIBRARY_PATH: `${built}:${backends}` };
  let process_, answers, waiting;

  function start() {
    process_ = spawn(join(built, flavour === 'cuda' ? 'planner-cuda' : 'planner'), [backends], {
      env: environment,
      stdio: ['pipe', 'pipe', process.env.PLANNER_LOG ? 'inherit' : 'ignore'],
    });
    answers = createInterface({ input: process_.stdout });
    answers.on('line', (line) => line.startsWith('{') && settle(JSON.parse(line)));
    process_.on('close', (code, signal) => {
      process_ = undefined;
      settle({ crashed: String(signal ?? code) });
    });
    process_.stdin.on('error', () => {});
  }
  function settle(answer) {
    const done = waiting;
    waiting = undefined;
    done?.(answer);
  }

  return {
    /** One question at a time. An engine that aborts answers {crashed}, and is started anew for the next. */
    ask(question) {
      if (!process_) start();
      return new Promise((resolve) => {
        waiting = resolve;
        process_.stdin.write(JSON.stringify(question) + '\n');
      });
    },
    stop() {
      process_?.stdin.end();
    },
  };
}
