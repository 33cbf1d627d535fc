// SPDX-License-Identifier: Apache-2.0
import { trusted } from '../reader/trusted';
import type { FromWorker, Task } from './task';
import workerUrl from './worker?worker&url';

/** Starts the worker; what it says goes to `hear`. */
export function startWorker(hear: (message: FromWorker) => void): (task: Task) => void {
  const worker = new Worker(trusted(workerUrl), { type: 'module' });
  worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => hear(data));
  worker.addEventListener('error', ({ message }) => hear({ failed: 'broken', cause: message }));
  return (task) => worker.postMessage(task);
}
