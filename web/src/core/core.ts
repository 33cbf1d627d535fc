// SPDX-License-Identifier: Apache-2.0
import type { Json, Methods, Reply } from './wire';

/** The core as the page sees it: one method in, one reply out, synchronously. */
export interface Core {
  call<M extends keyof Methods>(method: M, params: Methods[M]['params']): Reply<Methods[M]['result']>;
}

interface CoreModule {
  call(request: string): string;
}

export function coreOf(module: CoreModule): Core {
  return {
    call: (method, params) => JSON.parse(module.call(JSON.stringify({ method, params }))),
  };
}

/** Hands the core its data; it does no I/O of its own. */
export function loadCatalogue(core: Core, models: Json, devices: Json): void {
  const reply = core.call('catalogue.load', { models, devices });
  if (!reply.ok) throw new Error(reply.error.message);
}
