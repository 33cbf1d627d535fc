// SPDX-License-Identifier: Apache-2.0
import { trusted } from '../reader/trusted';
import type { FromWorker, Task, ToWorker } from './task';
import workerUrl from './worker?worker&url';

export { bringListed } from '../search/listed';

/** More bring little: each reads the catalogue for itself. */
const kMostWorkers = 4;

/** What is asked of all workers together. */
export type WholeTask = Omit<Task, 'workers' | 'part'>;

/**
 * Starts workers that share a task, as many as the machine has processors for; what they say goes to `hear`, as if there were one. `waits`: there is
 * time to warm up before the first.
 */
export function startWorkers(hear: (message: FromWorker) => void, waits: boolean): (task: WholeTask) => void {
  const count = Math.min(navigator.hardwareConcurrency || 1, kMostWorkers);
  let run = 0;
  let busy = 0;
  const workers = Array.from({ length: count }, () => {
    const worker = new Worker(trusted(workerUrl), { type: 'module' });
    worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => {
      if ('failed' in data) hear(data);
      if ('failed' in data || data.run !== run) return;
      if (data.done) busy -= 1;
      hear({ ...data, done: busy === 0 });
    });
    worker.addEventListener('error', ({ message }) => hear({ failed: 'broken', cause: message }));
    if (waits) worker.postMessage('warm up' satisfies ToWorker);
    return worker;
  });
  return (task) => {
    run = task.run;
    busy = count;
    workers.forEach((worker, part) => worker.postMessage({ ...task, workers: count, part } satisfies ToWorker));
  };
}
