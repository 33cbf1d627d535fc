// SPDX-License-Identifier: Apache-2.0
// A program that answers one line of JSON for each that it is sent.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** `ask(question)` one at a time. A program that ends answers {crashed}, and is started anew for the next question. */
export function lineProcess(command, args, environment = {}) {
  let child, waiting;

  function settle(answer) {
    const done = waiting;
    waiting = undefined;
    done?.(answer);
  }
  function start() {
    child = spawn(command, args, { env: { ...process.env, ...environment }, stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface({ input: child.stdout }).on('line', (line) => line.startsWith('{') && settle(JSON.parse(line)));
    child.stdin.on('error', () => {}); // it ended: 'close' tells
    child.on('error', (error) => settle({ crashed: error.message }));
    child.on('close', (code, signal) => {
      child = undefined;
      settle({ crashed: String(signal ?? code) });
    });
  }

  return {
    ask(question) {
      if (!child) start();
      return new Promise((resolve) => {
        waiting = resolve;
        child.stdin.write(JSON.stringify(question) + '\n');
      });
    },
    stop: () => child?.stdin.end(),
  };
}
