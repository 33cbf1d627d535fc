// SPDX-License-Identifier: Apache-2.0
import type { SpecFile } from './specs';
import type { Json, Methods, ModelChoice, Reply, Request } from './wire';

/** The core as the page sees it: one method in, one reply out, synchronously. */
export interface Core {
  call<M extends keyof Methods>(method: M, params: Methods[M]['params']): Reply<Methods[M]['result']>;
  /** Brings what `call` needs to count every model of the catalogue, not only those that the core has read (kMissingSpec). */
  bringSpecs(): Promise<void>;
}

/** Where the core says that a model which the catalogue only lists lacks its spec. */
export const kMissingSpec = 'params.model.spec';

interface CoreModule {
  call(request: string): string;
}

export function coreOf(module: CoreModule, fetchSpecs: () => Promise<SpecFile>): Core {
  let complete = (model: ModelChoice): ModelChoice => model;
  return {
    call(method, params) {
      const { model } = params as Partial<Request>;
      const completed = method === 'estimate' && model ? { ...params, model: complete(model) } : params;
      return JSON.parse(module.call(JSON.stringify({ method, params: completed })));
    },
    async bringSpecs() {
      const [{ withSpec }, file] = await Promise.all([import('./specs'), fetchSpecs()]);
      complete = (model) => withSpec(file, model);
    },
  };
}

/** Hands the core its data; it does no I/O of its own. */
export function loadCatalogue(core: Core, models: Json, devices: Json): void {
  const reply = core.call('catalogue.load', { models, devices });
  if (!reply.ok) throw new Error(reply.error.message);
}
