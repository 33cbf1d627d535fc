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
import type { FromWorker, SolvedModel, Task, ToWorker } from './task';

const kFirstSlice = 16; // ms: a frame
const kSlice = 100; // ms between two slices, whoever of the workers did them: the page sorts and shows all rows again after each
const kInSight = 11; // models of all workers that are shown as soon as they are there: 9 rows fit on 1440 x 900, and two may be too large
const kFirst = 24; // models of all workers after which the page has time
const kPart = 8; // models between two looks at the clock

interface ModelFile {
  models: { id: string }[];
  [key: string]: Json | { id: string }[];
}

async function fetchJson<T>(url: string): Promise<T> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return response.json() as Promise<T>;
}

const kThrownAwayStep = 3; // every so many-th model of the catalogue: what they ask for is compiled once and for all

/** Its answers are thrown away. Two devices and a host ask for all that there is to compile. */
const kThrownAway: Omit<Task, 'models'> = {
  run: 0,
  workers: 1,
  part: 0,
  engine: 'llama.cpp',
  hardware: [{ device: 'rtx-4090', count: 2 }],
  host: { memory_bytes: 64 * 2 ** 30 },
  running: undefined,
  tokens: 2048,
  smallest: 'gguf:Q3_K_M',
};

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
  const numbers = new Map(models.models.map(({ id }, index) => [id, specs.of[index]]));
  return {
    ids: models.models.map(({ id }) => id),
    call: callOf(module),
    specFor: (id: string): Json | undefined => (isWhole ? undefined : specOf(specs, id)),
    /** The same for models of one spec, which have one answer. */
    kindOf: (id: string): number | string => numbers.get(id) ?? id,
    /** From now on a request needs no spec, and the module keeps what it found for a model. */
    bringAll() {
      if (isWhole) return;
      const rows = models.models.map((row, index) => ({ ...row, spec: specs.specs[specs.of[index] ?? -1] }));
      loadCatalogue(module, { ...models, models: rows, names: specs.names } as Json, devices);
      isWhole = true;
    },
  };
}

/** What this worker does of the task: every so many-th kind, so that all of them begin with what is looked at first. */
function shareOf({ models, workers, part }: Task, kindOf: (id: string) => number | string): Task['models'] {
  const kinds = [...new Set(models.map(({ id }) => kindOf(id)))];
  const own = new Set(kinds.filter((_, index) => index % workers === part));
  return models.filter(({ id }) => own.has(kindOf(id)));
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
  const { call, specFor, kindOf, bringAll } = await core;
  const models = shareOf(task, kindOf);
  const known = new Map<number | string, SolvedModel>();
  let index = 0;
  const sharing = task.workers;
  while (latest === task) {
    const solved: SolvedModel[] = [];
    const least = index === 0 ? kInSight / sharing : kPart;
    const end = index === 0 ? 0 : performance.now() + (index < kFirst / sharing ? kFirstSlice : kSlice * sharing);
    while (index < models.length && (solved.length < least || performance.now() < end)) {
      const model = models[index++];
      if (!model) break;
      const row = solveModel(call, task, model, specFor, known.get(kindOf(model.id)));
      known.set(kindOf(model.id), row);
      solved.push(row);
    }
    const done = index >= models.length;
    post({ run: task.run, solved, done });
    await breath();
    if (!done) continue;
    if (latest === task) bringAll();
    return;
  }
}

/**
 * A browser compiles a function when it is first called, and compiles it well once it was called often: what the first list would wait for is done
 * before anybody asks, and left as soon as somebody does.
 */
async function warmUp(): Promise<void> {
  const { ids, call, specFor } = await core;
  for (let index = 0; index < ids.length && !latest; index += kThrownAwayStep) {
    const task = { ...kThrownAway, models: [] };
    solveModel(call, task, { id: ids[index] ?? '', most: task.tokens }, specFor);
    await breath();
  }
}

addEventListener('message', ({ data }: MessageEvent<ToWorker>) => {
  if (data === 'warm up') {
    void warmUp().catch(() => undefined); // said once somebody asks
    return;
  }
  latest = data;
  void work(data).catch((cause: unknown) =>
    post({ failed: cause instanceof WebAssembly.CompileError ? 'blocked' : 'broken', cause: String(cause) }),
  );
});
