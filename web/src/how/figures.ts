// SPDX-License-Identifier: Apache-2.0
// The figures of "How we count" that follow the reader's numbers: counted at build time for the HTML, and again with every change.
import type { Core } from '../core/core';
import type { DeviceAnswer, Estimate, Notice, Request, Term } from '../core/wire';
import {
  ask,
  brief,
  fullest,
  hashOf,
  kCaseHardware,
  Refusal,
  requestOf,
  type Brief,
  type Case,
  type EngineName,
} from './ask';
import { kParts, sum, termsOf, type Part } from '../views/parts';
import { savings, type Choices, type Saving } from './savings';

export interface PartBytes {
  part: Part;
  bytes: number;
}

/** One engine's count of the case. */
export interface Side {
  parts: PartBytes[];
  /** The math behind the parts; it comes with the core. */
  terms: Term[];
  total: number;
  low: number;
  high: number;
  layers: number;
  version: string;
  hash: string;
}

/** What a monitor and the engine's log will say. */
export interface Observed {
  engine: string;
  device: string;
  tokens: number;
  parts: PartBytes[];
  total: number;
  observed: number;
  limit: number;
  capacity: number;
  poolBytes: number | null;
  cacheTokens: number | null;
  concurrency: number | null;
}

export type DeploymentId = 'edge' | 'cloud8' | 'cloud4' | 'cloud2' | 'consumer';

export interface Deployment {
  id: DeploymentId;
  /** Bytes on each GPU by the article's count. */
  article: number;
  engine: Brief;
  /** What the engine's count is made of; nothing where it cannot run the setup. */
  parts: PartBytes[];
}

export interface CaseFigures {
  /** What was counted. */
  case: Case;
  article: Side;
  engine: Side;
  observed: Observed;
  deployments: Deployment[];
  savings: Saving[];
  /** The case on one card of each kind, small to large. */
  cards: Brief[];
  /** The case in each weight format, for the calculator. */
  formats: { format: string; weights: number; hash: string }[];
}

type Setup = Pick<Case, 'model' | 'format'> & { device: string; count: number };

/** The article's three deployments; the middle one also on fewer of its cards. p4d.24xlarge has eight A100 of 40 GB, on SXM4. */
export const kDeployments: Record<DeploymentId, Setup> = {
  edge: { model: 'article/7b', format: 'int8', device: 'jetson-agx-orin-64gb', count: 1 },
  cloud8: { model: 'article/30b', format: 'fp16', device: 'a100-sxm4-40gb', count: 8 },
  cloud4: { model: 'article/30b', format: 'fp16', device: 'a100-sxm4-40gb', count: 4 },
  cloud2: { model: 'article/30b', format: 'fp16', device: 'a100-sxm4-40gb', count: 2 },
  consumer: { model: 'article/13b', format: 'int8', device: 'rtx-4090', count: 1 },
};
const kFormats = ['fp16', 'int8', 'int4'];
const kCards = ['l4', 'rtx-4090', 'a100-sxm4-40gb', 'a100-sxm4-80gb', 'h200-sxm'];

const partsOf = (device: DeviceAnswer | undefined): PartBytes[] =>
  device ? kParts.map((part) => ({ part, bytes: sum(termsOf(device, part)) })).filter(({ bytes }) => bytes > 0) : [];

function side(core: Core, answer: Estimate): Side {
  const device = fullest(answer);
  if (!device)
    throw answer.verdict.reason ? new Refusal(answer.verdict.reason) : new Error('an answer without devices');
  const { terms, total_bytes: total, low_bytes: low, high_bytes: high } = device;
  return {
    parts: partsOf(device),
    terms,
    total,
    low,
    high,
    layers: answer.model.n_layers,
    version: answer.engine.version,
    hash: hashOf(core, answer.request),
  };
}

export function observedOf(answer: Estimate): Observed {
  const device = fullest(answer);
  return {
    engine: answer.engine.name,
    device: device?.device ?? '',
    tokens: answer.request.workload.context_tokens,
    parts: partsOf(device),
    total: device?.total_bytes ?? 0,
    observed: device?.observed_bytes ?? 0,
    limit: device?.limit_bytes ?? 0,
    capacity: device?.capacity_bytes ?? 0,
    poolBytes: answer.engine.kv_cache_pool_bytes,
    cacheTokens: answer.engine.kv_cache_tokens,
    concurrency: answer.engine.max_concurrency,
  };
}

function deployments(core: Core, c: Case): Deployment[] {
  return (Object.keys(kDeployments) as DeploymentId[]).map((id) => {
    const { model, format, device, count } = kDeployments[id];
    const on = (engine: EngineName): Request => requestOf({ ...c, model, format }, engine, { device, count });
    const answer = ask(core, on('vllm'));
    return {
      id,
      article: fullest(ask(core, on('article')))?.total_bytes ?? 0,
      engine: brief(core, answer),
      parts: partsOf(fullest(answer)),
    };
  });
}

function formats(core: Core, c: Case, answer: Estimate): CaseFigures['formats'] {
  return answer.weights_formats
    .filter(
      ({ resolved, supported }, index, all) =>
        supported && kFormats.includes(resolved) && all.findIndex((other) => other.resolved === resolved) === index,
    )
    .map(({ resolved: format, bytes }) => ({
      format,
      weights: bytes,
      hash: hashOf(core, { ...requestOf(c, 'vllm'), weights: { format } }),
    }));
}

/** Everything that follows the case, or why the core does not count it. */
export function caseFigures(core: Core, c: Case, catalogue: Choices): CaseFigures | { problem: Notice } {
  try {
    const answer = ask(core, requestOf(c, 'vllm'));
    return {
      case: c,
      article: side(core, ask(core, requestOf(c, 'article'))),
      engine: side(core, answer),
      observed: observedOf(answer),
      deployments: deployments(core, c),
      savings: savings(core, answer, catalogue),
      cards: kCards.map((device) => brief(core, ask(core, requestOf(c, 'vllm', { ...kCaseHardware, device })))),
      formats: formats(core, c, answer),
    };
  } catch (cause) {
    if (cause instanceof Refusal) return { problem: cause.notice };
    throw cause;
  }
}
