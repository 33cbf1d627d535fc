// SPDX-License-Identifier: Apache-2.0
import type { SpecFile } from './specs';
import type { Estimate, Json, Methods, ModelChoice, Notice, Reply, Request } from './wire';

/** The core as the page sees it: one method in, one reply out, synchronously. */
export interface Core {
  call<M extends keyof Methods>(method: M, params: Methods[M]['params']): Reply<Methods[M]['result']>;
  /** Brings what `call` needs to count every model of the catalogue, not only those that the core has read (missingPart). */
  bringSpecs(): Promise<void>;
  /** Brings the devices of the whole catalogue, not only those of the first view. */
  bringDevices(): Promise<void>;
  /** Brings the rules of every engine: the first module has not those of llama.cpp and what runs it (missingPart). */
  bringEngines(): Promise<void>;
}

/** A part of the core that did not come with the first view. */
export type MissingPart = 'specs' | 'engines';

/**
 * What a failed reply says is missing: the spec of a model which the catalogue only lists, be it the one that is asked about or one that runs beside
 * it, or the rules of an engine, which are in another module.
 */
export const lacksEngines = (notice: Notice): boolean => notice.where === 'params.engine.module';

export function missingPart(reply: Reply<unknown>): MissingPart | undefined {
  if (reply.ok) return undefined;
  if (reply.error.where.endsWith('.model.spec')) return 'specs';
  return lacksEngines(reply.error) ? 'engines' : undefined;
}

export interface CoreModule {
  call(request: string): string;
}

/** Params that may name models. */
export type Asked = Partial<Request> & { relatives?: ModelChoice[] };
export type SpecGiver = (module: CoreModule, asked: Asked) => void;

/** What a core can have brought later. */
export interface CoreParts {
  fetchSpecs(): Promise<SpecFile>;
  /** What gives a module all devices. */
  fetchDevices(): Promise<(module: CoreModule) => void>;
  /** The module with the rules of every engine, its catalogue loaded. */
  loadFull(): Promise<CoreModule>;
}

/** Brings what a failed reply says is missing; false if it says nothing of the kind. */
export async function bringMissing(core: Core, reply: Reply<unknown>): Promise<boolean> {
  const part = missingPart(reply);
  if (part === 'specs') await core.bringSpecs();
  if (part === 'engines') await core.bringEngines();
  return part !== undefined;
}

/** The answer to `request`, with whatever part of the core it needs brought: at most both, one after the other. */
export async function estimateWhole(core: Core, request: Request): Promise<Reply<Estimate>> {
  let reply = core.call('estimate', request);
  for (let parts = 0; parts < 2 && (await bringMissing(core, reply)); parts += 1)
    reply = core.call('estimate', request);
  return reply;
}

export function coreOf(first: CoreModule, { fetchSpecs, fetchDevices, loadFull }: CoreParts): Core {
  let module = first;
  let hasDevices = false;
  let full: Promise<CoreModule> | undefined;
  let newGiver: (() => SpecGiver) | undefined; // once specs are there
  let give: SpecGiver | undefined;
  return {
    async bringEngines() {
      full ??= loadFull();
      full.catch(() => (full = undefined)); // asked for again, it may come
      const all = await full;
      if (all === module) return;
      module = all;
      give = newGiver?.();
    },
    async bringDevices() {
      if (hasDevices) return;
      (await fetchDevices())(module);
      give = newGiver?.(); // the catalogue was loaded anew
      hasDevices = true;
    },
    call(method, params) {
      give?.(module, (params as { request?: Request }).request ?? (params as Asked));
      return JSON.parse(module.call(JSON.stringify({ method, params })));
    },
    async bringSpecs() {
      const [{ specGiver }, file] = await Promise.all([import('./specs'), fetchSpecs()]);
      newGiver = () => specGiver(file);
      give = newGiver();
    },
  };
}

/** Hands a module its data; it does no I/O of its own. */
export function loadCatalogue(module: CoreModule, models: Json, devices: Json): void {
  const request = JSON.stringify({ method: 'catalogue.load', params: { models, devices } });
  const reply = JSON.parse(module.call(request)) as Reply<unknown>;
  if (!reply.ok) throw new Error(reply.error.message);
}
