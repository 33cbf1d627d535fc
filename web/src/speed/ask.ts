// SPDX-License-Identifier: Apache-2.0
// What only the full core answers. It is brought when the first such question is asked.
import machinesUrl from '../../../build/catalogue/machines.json?url';
import type { Core } from '../core/core';
import type { Json, Methods, Reply, Request } from '../core/wire';

export async function ask<M extends 'speed' | 'receipts'>(
  core: Core,
  method: M,
  params: Methods[M]['params'],
): Promise<Reply<Methods[M]['result']>> {
  const reply = core.call(method, params);
  if (reply.ok || reply.error.code !== 'unknown_method') return reply;
  await core.bringEngines();
  return core.call(method, params);
}

let machines: Promise<Json> | undefined;

/** Prices are for who asks; without them there is still a speed. */
export function bringMachines(): Promise<Json> {
  machines ??= fetch(machinesUrl)
    .then((response) => response.json() as Promise<Json>)
    .catch(() => ((machines = undefined), []));
  return machines;
}

export const withMachines = async (request: Request): Promise<Methods['speed']['params']> => ({
  request,
  machines: await bringMachines(),
});
