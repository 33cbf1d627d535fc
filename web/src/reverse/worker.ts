// SPDX-License-Identifier: Apache-2.0
// Counts beside the page, which stays free to scroll and to type. A task is done in slices; a newer one takes the place of what is left.
import devicesUrl from '../../../build/catalogue/devices.json?url';
import modelsUrl from '../../../build/catalogue/models.json?url';
import specsUrl from '../../../build/catalogue/specs.json?url';
import { loadCatalogue } from '../core/core';
import { loadFullModule } from '../core/full';
import { specOf, type SpecFile } from '../core/specs';
import type { Json } from '../core/wire';
import { callOf, solveModel } from './solve';
import type { FromWorker, SolvedModel, Task } from './task';

const kFirstSlice = 16; // ms: a frame
const kSlice = 100; // ms between two slices, whoever of the workers did them: the page sorts and shows all rows again after each
const kFirst = 24; // models of all workers: a screenful
const kPart = 8; // models that arrive with their specs between two looks at the clock

interface ModelFile {
  models: { id: string }[];
  [key: string]: Json | { id: string }[];
}

async function fetchJson<T>(url: string): Promise<T> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return response.json() as Promise<T>;
}

const post = (message: FromWorker): void => postMessage(message);

async function start() {
  const [module, models, devices, specs] = await Promise.all([
    loadFullModule(),
    fetchJson<ModelFile>(modelsUrl),
    fetchJson<Json>(devicesUrl),
    fetchJson<SpecFile>(specsUrl),
  ]);
  loadCatalogue(module, models as Json, devices);
  let isWhole = false;
  return {
    call: callOf(module),
    specFor: (id: string): Json | undefined => (isWhole ? undefined : specOf(specs, id)),
    /** From now on a request needs no spec: reading one takes as long as solving for it. */
    bringAll() {
      if (isWhole) return;
      const rows = models.models.map((row, index) => ({ ...row, spec: specs.specs[specs.of[index] ?? -1] }));
      loadCatalogue(module, { ...models, models: rows, names: specs.names } as Json, devices);
      isWhole = true;
    },
  };
}

const channel = new MessageChannel();
/** Lets what arrived meanwhile be heard. A timer would wait for 4 ms each time. */
const breath = (): Promise<void> =>
  new Promise((resolve) => {
    channel.port1.onmessage = () => resolve();
    channel.port2.postMessage(0);
  });

const core = start();
let latest: Task | undefined;

async function work(task: Task): Promise<void> {
  const { call, specFor, bringAll } = await core;
  let index = 0;
  const first = kFirst / task.workers;
  while (latest === task) {
    const solved: SolvedModel[] = [];
    const end = performance.now() + (index < first ? kFirstSlice : kSlice * task.workers);
    while (index < task.models.length && (solved.length < kPart || performance.now() < end)) {
      const model = task.models[index++];
      if (model) solved.push(solveModel(call, task, model, specFor));
    }
    const done = index >= task.models.length;
    post({ run: task.run, solved, done });
    if (done) return;
    if (index > first) bringAll();
    await breath();
  }
}

addEventListener('message', ({ data }: MessageEvent<Task>) => {
  latest = data;
  void work(data).catch((cause: unknown) =>
    post({ failed: cause instanceof WebAssembly.CompileError ? 'blocked' : 'broken', cause: String(cause) }),
  );
});
