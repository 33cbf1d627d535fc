// SPDX-License-Identifier: Apache-2.0
// One model on the person's machine: the core's own answer, and the link that opens the calculator with it.
import type { BestWeights, Json, Methods, ModelChoice, Reply, Request } from '../core/wire';
import type { SolvedModel, Task } from './task';

export type Call = <M extends keyof Methods>(method: M, params: Methods[M]['params']) => Reply<Methods[M]['result']>;

export function callOf(module: { call(text: string): string }): Call {
  return (method, params) => JSON.parse(module.call(JSON.stringify({ method, params } as Json)));
}

/** `specFor` answers the spec of a model that the module's catalogue only lists; `like` is what a model of the same spec came to. */
export function solveModel(
  call: Call,
  task: Task,
  { id, most }: Task['models'][number],
  specFor: (id: string) => Json | undefined = () => undefined,
  like?: SolvedModel,
): SolvedModel {
  if (like?.problem) return { ...like, id };
  const withSpec = (model: ModelChoice): ModelChoice => {
    const spec = specFor(model.id ?? '');
    return spec === undefined ? model : { ...model, spec };
  };
  const { running } = task;
  const asked = {
    engine: { name: task.engine, options: {} },
    workload: { context_tokens: Math.min(task.tokens, most), sequences: 1 },
    hardware: task.hardware,
    ...(task.host && { host: task.host }),
    ...(running && { running }),
  };
  const solve = (): Reply<BestWeights> =>
    call('solve', {
      find: 'weights',
      request: {
        ...asked,
        model: withSpec({ id }),
        ...(running && { running: running.map((job) => ({ ...job, model: withSpec(job.model) })) }),
      },
      smallest: task.smallest,
    });
  const reply = like?.best ? { ok: true as const, result: like.best } : solve();
  if (!reply.ok) return { id, problem: reply.error, hash: '' };
  const { weights, options, gpu_layers: layers } = reply.result;
  const request: Request = {
    ...asked,
    engine: { name: task.engine, options },
    model: { id },
    weights: { format: weights.format },
    kv_cache: { k: 'auto', v: 'auto' },
    ...(layers !== null && { offload: { gpu_layers: layers } }),
  };
  const link = call('share.encode', { request, complete: true });
  return { id, best: reply.result, hash: link.ok ? link.result.hash : '' };
}
