// SPDX-License-Identifier: Apache-2.0
// What only the full core answers. It is brought when the first such question is asked.
import machinesUrl from '../../../build/catalogue/machines.json?url';
import type { Core } from '../core/core';
import type { Estimate, Json, Methods, Reply, Request } from '../core/wire';

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

/** Layers on the GPUs in the placement that an answer names, where all of them would be too much. */
export const namedLayers = ({ verdict }: Estimate): number | undefined =>
  verdict.class === 'offload' ? verdict.nearest?.gpu_layers : undefined;

/** `request` in the placement that `answer` names. */
export function asAnswered(request: Request, answer: Estimate): Request {
  const gpu_layers = namedLayers(answer);
  return gpu_layers === undefined ? request : { ...request, offload: { ...request.offload, gpu_layers } };
}

export const withMachines = async (request: Request, answer: Estimate): Promise<Methods['speed']['params']> => ({
  request: asAnswered(request, answer),
  machines: await bringMachines(),
});
