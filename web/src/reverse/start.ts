// SPDX-License-Identifier: Apache-2.0
import { count } from '../format';
import { trusted } from '../reader/trusted';
import type { FromWorker, Task, ToWorker } from './task';
import workerUrl from './worker?worker&url';

export { bringListed } from '../search/listed';

/** More bring little: each reads the catalogue for itself. One processor is left to the page, which shows what they find. */
const kMostWorkers = 4;
const workersOf = (processors: number): number => Math.min(Math.max(1, processors - 1), kMostWorkers);

/** What is asked of all workers together. */
export type WholeTask = Omit<Task, 'workers' | 'part'>;

/**
 * Starts workers that share a task, as many as the machine has processors for; what they say goes to `hear`, as if there were one. `waits`: there is
 * time to warm up before the first, for the page as well, whose first number takes the browser tens of milliseconds.
 */
export function startWorkers(hear: (message: FromWorker) => void, waits: boolean): (task: WholeTask) => void {
  const many = workersOf(navigator.hardwareConcurrency || 1);
  if (waits) count(many);
  let run = 0;
  let busy = 0;
  const workers = Array.from({ length: many }, () => {
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
    busy = many;
    workers.forEach((worker, part) => worker.postMessage({ ...task, workers: many, part } satisfies ToWorker));
  };
}
