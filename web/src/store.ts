// SPDX-License-Identifier: Apache-2.0
// All state of the page: what is asked (a wire request), what the core answered, and how it is shown. Views read signals and call the
// actions; nothing else holds state that outlives a component.
import { computed, effect, signal, type ReadonlySignal, type Signal } from '@preact/signals';
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import { bringMissing, missingPart, type Core, type MissingPart } from './core/core';
import type {
  Catalogue,
  Estimate,
  EngineChoice,
  HardwareRow,
  LinkView,
  ModelChoice,
  Notice,
  Parallel,
  Request,
  RunningJob,
} from './core/wire';
import type { Unit } from './format';
import { engineTexts } from './engine-texts';
import type { HubHost, HubReference } from './reader/hub';
import type { Progress } from './reader/session';
import type { GivenLayers } from './reader/wire';

/** What stands in the HTML before any script has run: the answer to the default request, from the same core. */
export interface FirstAnswer {
  answer: Estimate;
  warnings: Notice[];
  request: Request;
  dataVersion: string;
}

/** Where the core is: not there yet, ready, or not to be had (the reason is said to the person). */
export type CoreState =
  { status: 'loading' } | { status: 'ready'; core: Core } | { status: 'failed'; reason: 'blocked' | 'broken' };

/** A model that is not of the catalogue: asked about but not fetched, being read, or refused by its host. */
export interface Outside {
  state: 'offer' | 'reading' | 'failed' | 'unknown';
  /** Of Hugging Face; without it, of this device. */
  reference?: HubReference;
  /** The link that was opened names it: nobody has asked for it here, and the link's settings are for it. */
  isLinked?: true;
  host?: HubHost;
  progress?: Progress | undefined;
  cancel?: () => void;
  /** Of an `unknown` one, whose weights are known and whose layers are not: counts with these. */
  askLayers?: (layers: GivenLayers) => void;
}

export interface Store {
  request: Signal<Request>;
  view: Signal<LinkView>;
  coreState: Signal<CoreState>;
  catalogue: Signal<Catalogue | null>;
  /** Settings of the link that this version does not know; written back as they came. */
  kept: Signal<[string, string][]>;
  linkNotices: Signal<Notice[]>;
  /** What a file or pasted text was, when it could not be read. */
  fileNotice: Signal<Notice | null>;
  outside: Signal<Outside | null>;
  /** What the reader of a model that is not of the catalogue took for granted. */
  assumed: Signal<Notice[]>;
  /** The last good answer. While `isBehind` it belongs to earlier settings. */
  answer: ReadonlySignal<Estimate>;
  /** The present settings have no answer: not yet, since a part of the core is on its way, or not at all. */
  isBehind: ReadonlySignal<boolean>;
  warnings: ReadonlySignal<Notice[]>;
  /** Why the present settings have no answer. */
  problem: ReadonlySignal<Notice | null>;
  unit: ReadonlySignal<Unit>;
  first: FirstAnswer;

  /** `assumed` is what the reader of a model that is not of the catalogue took for granted; `isLinked`: the settings are for this model. */
  chooseModel(model: ModelChoice, maxContext: number, assumed?: Notice[], isLinked?: boolean): void;
  setFormat(format: string): void;
  setContext(tokens: number): void;
  setSequences(sequences: number): void;
  setHardware(rows: HardwareRow[]): void;
  setEngine(engine: EngineChoice): void;
  /** `undefined` means not known; what is not named stays. */
  setHost(part: { memory_bytes?: number | undefined; bandwidth_gb_s?: number | undefined }): void;
  /** `undefined` goes back to the engine's choice; what is not named stays. */
  setOffload(part: { gpu_layers?: number | undefined; cpu_moe_layers?: number | undefined }): void;
  /** Shows what the catalogue of the core has. */
  readCatalogue(core: Core): void;
  /** Has the core bring every device, and shows them. */
  bringDevices(core: Core): Promise<void>;
  /** The whole request at once, as a link gives it. */
  open(request: Request): void;
  /** Counts the times that the form was filled anew, so that half-typed text goes with what it was typed over. */
  generation: Signal<number>;
  /** Several settings at once, such as a machine with a model that suits it. */
  take(part: Partial<Request>): void;
  setOption(name: string, value: number | string | boolean | undefined): void;
  /** Of keys and values; `v` left out means the same. */
  setCacheType(k: string, v?: string): void;
  setParallel(parallel: Parallel | undefined): void;
  /** `undefined` means full length, and nothing shared; what is not named stays. */
  setPaging(part: { average_tokens?: number | undefined; shared_prefix_tokens?: number | undefined }): void;
  /** Models that run on the same devices already. */
  setRunning(running: RunningJob[]): void;
  reset(): void;
  /** A part of the page that comes when it is used, or nothing; then it is said. */
  bring<T>(part: Promise<T>): Promise<T | undefined>;
}

/** Engines whose words come with the page. */
const kWithWords = ['vllm', 'article'];

export function createStore(first: FirstAnswer): Store {
  const request = signal<Request>(first.request);
  const view = signal<LinkView>({});
  const coreState = signal<CoreState>({ status: 'loading' });
  const catalogue = signal<Catalogue | null>(null);
  const kept = signal<[string, string][]>([]);
  const linkNotices = signal<Notice[]>([]);
  const fileNotice = signal<Notice | null>(null);
  const outside = signal<Outside | null>(null);
  const assumed = signal<Notice[]>([]);
  const answer = signal<Estimate>(first.answer);
  const answered = signal<Request>(first.request);
  const warnings = signal<Notice[]>(first.warnings);
  const allWarnings = computed(() => [...assumed.value, ...warnings.value]);
  const problem = signal<Notice | null>(null);
  /** The context last asked for by hand: a model with a shorter one borrows it, and it comes back with the next. */
  let wantedContext = first.request.workload.context_tokens;

  /** What of the core arrived by now that it did not begin with. */
  const arrivedParts = signal<readonly MissingPart[]>([]);
  const bring: Store['bring'] = (part) =>
    part.catch(() => {
      const values = { key: '', value: '', expected: '' };
      fileNotice.value = { code: 'part_missing', where: 'file', message: '', values };
      return undefined;
    });

  effect(() => {
    const state = coreState.value;
    if (state.status !== 'ready') return;
    const { engine, parallel } = request.value;
    if (!kWithWords.includes(engine.name) || parallel?.nodes) void bring(engineTexts());
    const arrived = arrivedParts.value;
    const reply = state.core.call('estimate', request.value);
    const missing = missingPart(reply);
    if (missing && !arrived.includes(missing)) {
      void bring(bringMissing(state.core, reply).then(() => (arrivedParts.value = [...arrivedParts.peek(), missing])));
      return;
    }
    problem.value = reply.ok ? null : reply.error;
    if (!reply.ok) return;
    answer.value = reply.result;
    answered.value = request.value;
    warnings.value = reply.warnings;
  });

  const generation = signal(0);
  /** Chosen before the core was there to say what goes with it. */
  let early: EngineChoice | undefined;
  const readCatalogue: Store['readCatalogue'] = (core) => {
    const reply = core.call('catalogue', {});
    if (reply.ok) catalogue.value = reply.result;
    if (early) setEngine(early, first.request.engine.name);
  };

  /** What people start from. What was read without a config is a GGUF file, which has its own types. */
  const usualOf = (engine: string, { spec, config }: ModelChoice): { format: string; sequences: number } => {
    const known = catalogue.value?.engines.find(({ name }) => name === engine);
    const format = (!spec || config) && known?.usual_format;
    return { format: format || 'checkpoint', sequences: known?.usual_sequences ?? first.request.workload.sequences };
  };

  const change = (part: Partial<Request>): void => {
    request.value = { ...request.value, ...part };
  };
  const forgetNotices = (...places: string[]): void => {
    linkNotices.value = linkNotices.value.filter(({ where }) => !places.includes(where));
  };
  const leaveFile = (notices: Notice[] = []): void => {
    outside.value?.cancel?.();
    outside.value = null;
    fileNotice.value = null;
    assumed.value = notices;
  };
  const changeWorkload = (part: Partial<Request['workload']>): void =>
    change({ workload: { ...request.value.workload, ...part } });

  const setEngine = (engine: EngineChoice, from = request.value.engine.name): void => {
    early = catalogue.value ? undefined : engine;
    const { parallel: _split, offload: _layers, ...rest } = request.value;
    const before = usualOf(from, rest.model);
    const after = usualOf(engine.name, rest.model);
    const isSameEngine = from === engine.name;
    const { sequences } = rest.workload;
    request.value = isSameEngine
      ? { ...request.value, engine }
      : {
          ...rest,
          engine,
          weights: { format: after.format },
          kv_cache: { k: 'auto', v: 'auto' },
          workload: { ...rest.workload, sequences: sequences === before.sequences ? after.sequences : sequences },
        };
  };

  return {
    request,
    view,
    coreState,
    catalogue,
    kept,
    linkNotices,
    fileNotice,
    outside,
    assumed,
    answer,
    isBehind: computed(() => answered.value !== request.value),
    warnings: allWarnings,
    problem,
    generation,
    unit: computed<Unit>(() => view.value.unit ?? 'gib'),
    first,

    chooseModel(model, maxContext, notices, isLinked = false) {
      leaveFile(notices);
      forgetNotices('link.m', 'link.c', 'link.hf', 'link.ngl');
      const { offload, ...rest } = request.value;
      const { engine, workload } = rest;
      request.value = {
        ...rest,
        ...(isLinked ? offload && { offload } : { weights: { format: usualOf(engine.name, model).format } }),
        model,
        workload: { ...workload, context_tokens: Math.min(wantedContext, maxContext) },
      };
    },
    setFormat: (format) => change({ weights: { format } }),
    setContext(tokens) {
      forgetNotices('link.ctx');
      wantedContext = tokens;
      changeWorkload({ context_tokens: tokens });
    },
    setSequences: (sequences) => changeWorkload({ sequences }),
    setHardware(hardware) {
      forgetNotices('link.g', 'link.used', 'link.raised');
      const shape = (rows: HardwareRow[]): string =>
        rows.map(({ device, memory_bytes, count }) => `${count}x${device ?? memory_bytes}`).join('+');
      const { parallel: _split, offload: _layers, ...rest } = request.value;
      const isSameMachine = shape(hardware) === shape(request.value.hardware);
      request.value = isSameMachine ? { ...request.value, hardware } : { ...rest, hardware };
    },
    open(opened) {
      leaveFile();
      early = undefined;
      wantedContext = opened.workload.context_tokens;
      generation.value += 1;
      request.value = opened;
    },
    setEngine,
    setHost(part) {
      const { host, ...rest } = request.value;
      const { memory_bytes, bandwidth_gb_s } = { ...host, ...part };
      const kept = { ...(memory_bytes && { memory_bytes }), ...(bandwidth_gb_s && { bandwidth_gb_s }) };
      request.value = Object.keys(kept).length === 0 ? rest : { ...rest, host: kept };
    },
    setOffload(part) {
      const { offload, ...rest } = request.value;
      const { gpu_layers, cpu_moe_layers } = { ...offload, ...part };
      const kept = { ...(gpu_layers !== undefined && { gpu_layers }), ...(cpu_moe_layers && { cpu_moe_layers }) };
      request.value = Object.keys(kept).length === 0 ? rest : { ...rest, offload: kept };
    },
    take(part) {
      const { parallel: _split, offload: _layers, host: _memory, running: _others, ...rest } = request.value;
      leaveFile();
      linkNotices.value = [];
      request.value = { ...rest, kv_cache: { k: 'auto', v: 'auto' }, ...part };
      wantedContext = request.value.workload.context_tokens;
    },
    setOption(name, value) {
      const { [name]: _replaced, ...others } = request.value.engine.options ?? {};
      change({
        engine: { ...request.value.engine, options: value === undefined ? others : { ...others, [name]: value } },
      });
    },
    setCacheType: (k, v = k) => change({ kv_cache: { k, v } }),
    setParallel(parallel) {
      const { parallel: _replaced, ...rest } = request.value;
      request.value = parallel ? { ...rest, parallel } : rest;
    },
    setPaging(part) {
      const { context_tokens, sequences, ...held } = request.value.workload;
      const { average_tokens, shared_prefix_tokens } = { ...held, ...part };
      const workload = { context_tokens, sequences, ...(average_tokens && { average_tokens }) };
      change({ workload: { ...workload, ...(shared_prefix_tokens && { shared_prefix_tokens }) } });
    },
    setRunning(running) {
      const { running: _replaced, ...rest } = request.value;
      request.value = running.length > 0 ? { ...rest, running } : rest;
    },
    readCatalogue,
    bringDevices: async (core) => {
      await bring(core.bringDevices());
      readCatalogue(core);
    },
    reset() {
      leaveFile();
      linkNotices.value = [];
      kept.value = [];
      wantedContext = first.request.workload.context_tokens;
      request.value = first.request;
    },
    bring,
  };
}

const StoreContext = createContext<Store | null>(null);
export const StoreProvider = StoreContext.Provider;

export function useStore(): Store {
  const store = useContext(StoreContext);
  if (!store) throw new Error('useStore outside of its provider');
  return store;
}
