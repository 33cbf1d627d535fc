// SPDX-License-Identifier: Apache-2.0
// The state of "What can my GPU run?": the machine is the one in the calculator's settings, so that a link and a tab carry it along; here are
// the filters, and what the worker found so far.
import { computed, effect, signal, untracked, type ReadonlySignal, type Signal } from '@preact/signals';
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Core } from '../core/core';
import type { HardwareRow, Notice, Request } from '../core/wire';
import { follow, readLink, settingsOf } from '../link';
import type { Listed } from '../search/listed';
import type { Store } from '../store';
import { remember, remembered, type Remembered } from './memory';
import { laterTexts } from './messages';
import {
  compareRows,
  isWanted,
  kNoFilters,
  likelyBytes,
  likelyOrder,
  memoryOf,
  runs,
  type Filters,
  type Row,
} from './rows';
import type { WholeTask } from './start';
import type { SolvedModel } from './task';

/** llama.cpp is what runs on one's own cards; vLLM is the other that people set up themselves. */
export const kEngines = ['llama.cpp', 'vllm'] as const;
export const kSmallest = ['gguf:Q4_K_M', 'gguf:Q3_K_M', 'gguf:Q2_K'] as const;
const kUsualTokens = 8192;

export interface Mine {
  /** Whether the person has said what they have; until then the page asks. */
  isKnown: Signal<boolean>;
  smallest: Signal<string>;
  filters: Signal<Filters>;
  /** What passes the filters, sorted. */
  rows: ReadonlySignal<Row[]>;
  /** Why none of them can run, if the machine or the engine is the reason. */
  refusal: ReadonlySignal<Notice | null>;
  /** Of those that pass the filters of kind, licence and size. */
  counts: ReadonlySignal<{ solved: number; running: number; models: number }>;
  isDone: Signal<boolean>;
  failed: Signal<'blocked' | 'broken' | null>;
  /** The engine of the link that was opened, which another may stand in for; empty once the person has chosen one. */
  replaced: Signal<string>;
  /** Another machine, with what else was chosen. */
  have(hardware: HardwareRow[], host?: Request['host']): void;
  usualFormat(engine: string): string;
  forget(): void;
  /** Takes what the link or this device says, and begins to count. */
  open(core: Core): Promise<void>;
}

export function createMine(store: Store): Mine {
  const isKnown = signal(false);
  const smallest = signal<string>('gguf:Q3_K_M');
  const filters = signal<Filters>(kNoFilters);
  const solved = signal<ReadonlyMap<string, SolvedModel>>(new Map());
  const isDone = signal(false);
  const failed = signal<'blocked' | 'broken' | null>(null);
  const replaced = signal('');
  const listed = signal<Listed>({});
  const models = computed(() =>
    (store.catalogue.value?.models ?? []).map((row) => ({ ...row, ...listed.value[row.id] })),
  );

  const matching = computed<Row[]>(() => {
    const rows = models.value.flatMap((model): Row[] => {
      const one = isWanted(model, filters.value) ? solved.value.get(model.id) : undefined;
      return one ? [{ ...one, model, class: one.best?.verdict.class ?? 'unknown' }] : [];
    });
    return rows.sort(compareRows);
  });

  // Other tabs take the engine along, and a model that it loads.
  const usualFormat = (engine: string): string =>
    store.catalogue.value?.engines.find(({ name }) => name === engine)?.usual_format ?? 'checkpoint';

  function use(part: Remembered): void {
    const { hardware, host, engine } = part;
    const { context_tokens } = store.request.value.workload;
    replaced.value = '';
    store.take({
      engine: { name: engine, options: {} },
      weights: { format: usualFormat(engine) },
      hardware,
      workload: { context_tokens: isKnown.value ? context_tokens : kUsualTokens, sequences: 1 },
      ...(host && { host }),
    });
    isKnown.value = true;
  }

  /** Shows the machine of a link; a link that names none, or one that nobody knows, says nothing here. */
  async function read(core: Core, hash: string, isNewest: () => boolean): Promise<void> {
    await readLink(store, core, hash, isNewest);
    if (!isNewest()) return;
    const isUnread = store.linkNotices.value.some(({ where }) => where === 'link.g');
    if (isUnread || !/[#&]g=/.test(hash)) return;
    const { engine, workload, parallel: _split, offload: _layers, ...rest } = store.request.value;
    // What runs llama.cpp counts as it does here.
    const name = ['llama.cpp', 'ollama', 'lm-studio'].includes(engine.name) ? 'llama.cpp' : 'vllm';
    replaced.value = engine.name;
    store.request.value = { ...rest, engine: { name, options: {} }, workload: { ...workload, sequences: 1 } };
    isKnown.value = true;
  }

  /** Sends what is asked to the workers whenever it changes. */
  async function count(): Promise<void> {
    const [{ startWorkers, bringListed }] = await Promise.all([import('./start'), laterTexts()]);
    let run = 0;
    let shown = 0; // the run that the rows are of
    const send = startWorkers((message) => {
      if ('failed' in message) {
        console.warn('Weighbridge: the worker failed.', message.cause);
        failed.value = message.failed;
        return;
      }
      if (message.run !== run) return;
      const all = new Map(message.run === shown ? solved.value : []);
      shown = message.run;
      for (const one of message.solved) all.set(one.id, one);
      solved.value = all;
      isDone.value = message.done;
    }, !isKnown.value);
    listed.value = await bringListed(); // on its way beside what the workers need
    effect(() => {
      if (!isKnown.value) return;
      const { engine, hardware, host, workload, running } = store.request.value;
      const bytesOf = (id: string): number =>
        untracked(() => store.catalogue.value)?.devices.find((device) => device.id === id)?.runtime_bytes ?? 0;
      const memory = memoryOf(hardware, bytesOf, host?.memory_bytes);
      const named = models.value.filter(({ kind }) => kind !== 'generic');
      const task: WholeTask = {
        run: ++run,
        engine: engine.name,
        hardware,
        host,
        running,
        tokens: workload.context_tokens,
        smallest: smallest.value,
        // Those that are looked at first.
        models: [true, false]
          .flatMap((isFirst) =>
            likelyOrder(
              named.filter((model) => isWanted(model, filters.peek()) === isFirst),
              memory,
              likelyBytes(engine.name, smallest.value),
            ),
          )
          .map(({ id, max_context_tokens: most }) => ({ id, most })),
      };
      isDone.value = false;
      send(task);
      remember({ engine: engine.name, hardware, ...(host && { host }) });
    });
  }

  return {
    isKnown,
    usualFormat,
    smallest,
    filters,
    rows: computed(() =>
      filters.value.shown === 'all' ? matching.value : matching.value.filter((row) => runs(row.class)),
    ),
    refusal: computed(() => matching.value[0]?.best?.verdict.reason ?? null),
    counts: computed(() => ({
      solved: matching.value.length,
      running: matching.value.filter((row) => runs(row.class)).length,
      models: models.value.filter((model) => isWanted(model, filters.value)).length,
    })),
    isDone,
    failed,
    replaced,
    have: (hardware, host) =>
      use({ engine: isKnown.value ? store.request.value.engine.name : kEngines[0], hardware, ...(host && { host }) }),
    forget() {
      remember(undefined);
      isKnown.value = false;
      solved.value = new Map();
    },
    async open(core) {
      await store.bringDevices(core);
      // Whoever was quicker than the core has answered already.
      const hasAnswered = isKnown.value;
      const followed = { ...settingsOf(store, core), read: read.bind(null, core) };
      await follow(followed, hasAnswered);
      const before = remembered();
      if (!isKnown.value && before) use(before);
      delete document.documentElement.dataset['link'];
      await count();
    },
  };
}

const MineContext = createContext<Mine | null>(null);
export const MineProvider = MineContext.Provider;

export function useMine(): Mine {
  const mine = useContext(MineContext);
  if (!mine) throw new Error('useMine outside of its provider');
  return mine;
}
