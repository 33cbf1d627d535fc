// SPDX-License-Identifier: Apache-2.0
// Questions of the page "How we count" to the core, and its answers cut down to what the page shows.
import type { Core } from '../core/core';
import type { DeviceAnswer, Estimate, HardwareRow, Notice, Request, Term, VerdictClass } from '../core/wire';

/** The numbers of the article that a reader can change. */
export interface Case {
  model: string;
  format: 'fp16' | 'int8';
  tokens: number;
  sequences: number;
}

/** The article's worked case. */
export const kArticleCase: Case = { model: 'article/7b', format: 'fp16', tokens: 2048, sequences: 1 };
export const kSizes = ['article/7b', 'article/13b', 'article/30b'] as const;
/** The article names no card for its worked case; this one has room for all three sizes. */
export const kCaseHardware: HardwareRow = { device: 'a100-sxm4-80gb', count: 1 };

export type EngineName = 'article' | 'vllm';

export const requestOf = (c: Case, engine: EngineName, hardware: HardwareRow = kCaseHardware): Request => ({
  model: { id: c.model },
  weights: { format: c.format },
  kv_cache: { k: 'auto', v: 'auto' },
  engine: { name: engine },
  workload: { context_tokens: c.tokens, sequences: c.sequences },
  hardware: [hardware],
});

/** The core does not count a request; `notice` says why. */
export class Refusal extends Error {
  readonly notice: Notice;
  constructor(notice: Notice) {
    super(notice.message);
    this.notice = notice;
  }
}

export function ask(core: Core, request: Request): Estimate {
  const reply = core.call('estimate', request);
  if (!reply.ok) throw new Refusal(reply.error);
  return reply.result;
}

/** The text behind `#` that opens the calculator with this request. */
export function hashOf(core: Core, request: Request): string {
  const reply = core.call('share.encode', { request });
  if (!reply.ok) throw new Refusal(reply.error);
  return reply.result.hash;
}

/** The device that decides. */
export const fullest = (answer: Estimate): DeviceAnswer | undefined => answer.devices[answer.verdict.device ?? 0];

/** One setup in short. Memory is in bytes on the fullest GPU; nothing of it where the engine cannot run the setup. */
export interface Brief {
  class: VerdictClass;
  reason: Notice | null;
  device: string;
  count: number;
  total: number;
  limit: number;
  capacity: number;
  maxSequences: number | null;
  hash: string;
}

export function brief(core: Core, answer: Estimate): Brief {
  const device = fullest(answer);
  const [row] = answer.request.hardware;
  return {
    class: answer.verdict.class,
    reason: answer.verdict.reason,
    device: row?.device ?? '',
    count: row?.count ?? 0,
    total: device?.total_bytes ?? 0,
    limit: device?.limit_bytes ?? 0,
    capacity: device?.capacity_bytes ?? 0,
    maxSequences: answer.max_sequences,
    hash: hashOf(core, answer.request),
  };
}

export function termOf(answer: Estimate, id: string): Term {
  const term = fullest(answer)?.terms.find((candidate) => candidate.id === id);
  if (!term) throw new Error(`the core's answer lacks the term ${id}`);
  return term;
}
