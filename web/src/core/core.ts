// SPDX-License-Identifier: Apache-2.0
import { withSpec, type SpecFile } from './specs';
import type { Json, Methods, Reply, Request } from './wire';

/** The core as the page sees it: one method in, one reply out, synchronously. */
export interface Core {
  call<M extends keyof Methods>(method: M, params: Methods[M]['params']): Reply<Methods[M]['result']>;
  /** Brings what `call` needs to count every model of the catalogue, not only those that it has read (error `where` kMissingSpec). */
  bringSpecs(): Promise<void>;
}

interface CoreModule {
  call(request: string): string;
}

export function coreOf(module: CoreModule, fetchSpecs: () => Promise<SpecFile>): Core {
  let specs: SpecFile | undefined;
  const complete = <P>(params: P): P => {
    const { model } = params as Partial<Request>;
    return specs && model ? { ...params, model: withSpec(specs, model) } : params;
  };
  return {
    call: (method, params) => {
      const completed = method === 'estimate' ? complete(params) : params;
      return JSON.parse(module.call(JSON.stringify({ method, params: completed })));
    },
    bringSpecs: async () => {
      specs ??= await fetchSpecs();
    },
  };
}

/** Hands the core its data; it does no I/O of its own. */
export function loadCatalogue(core: Core, models: Json, devices: Json): void {
  const reply = core.call('catalogue.load', { models, devices });
  if (!reply.ok) throw new Error(reply.error.message);
}
