// SPDX-License-Identifier: Apache-2.0
// The article's strategies as changes of a request; what each saves on the fullest GPU is the difference of two answers of the core.
import { lacksEngines, type Core } from '../core/core';
import type { Catalogue, CatalogueEngine, CatalogueModel, Estimate, Notice, Request } from '../core/wire';
import { fullest, Refusal } from './ask';

export type SavingId = 'format' | 'cache' | 'context' | 'sequences' | 'chunk' | 'tensor' | 'sibling';

export interface Saving {
  id: SavingId;
  /** The two ends of the change, for the words: 2048 -> 1024 tokens, fp16 -> int8. */
  from: string | number;
  to: string | number;
  /** Bytes saved on the fullest GPU by the article's count; nothing where it has no rule. */
  article: number | null;
  /** The same by the engine's own rules. */
  engine: number | null;
  /** Why the engine does not run the changed setup. */
  reason: Notice | null;
}

/** What there is to change to. */
export type Choices = Pick<Catalogue, 'models' | 'engines'>;

interface Change {
  id: SavingId;
  from: string | number;
  to: string | number;
  request: Request;
}

const kSmallStep = 512; // tokens; a quarter of the smallest step that vLLM takes by default
const kManyRequests = 16; // what one request at a time is held against, where it is all there is
const kMostDevices = 64; // the most that the core takes
const kRelative = /^deepseek-ai\/DeepSeek-R1-Distill-/;
const kMuchSmaller = 3; // times fewer parameters make a relative worth naming

/** Formats worth naming, of those that the engine runs. */
const kFormats = ['int8', 'int4', 'gguf:Q8_0', 'gguf:Q4_K_M'];
const kCacheTypes = ['fp8', 'q8_0'];

function formats(request: Request, answer: Estimate, engine: CatalogueEngine | undefined): Change[] {
  const from = request.weights.format === 'checkpoint' ? answer.model.checkpoint_format : request.weights.format;
  return kFormats
    .filter((to) => to !== from && engine?.weights_formats.includes(to))
    .map((to) => ({ id: 'format', from, to, request: { ...request, weights: { format: to } } }));
}

function cacheIn8Bits(request: Request, engine: CatalogueEngine | undefined): Change[] {
  const to = kCacheTypes.find((type) => engine?.kv_types.includes(type));
  const from = request.kv_cache.k;
  return to && !from.startsWith(to)
    ? [{ id: 'cache', from, to, request: { ...request, kv_cache: { k: to, v: to } } }]
    : [];
}

function workload(request: Request): Change[] {
  const { context_tokens: tokens, sequences } = request.workload;
  const changes: Change[] = [];
  const half = Math.ceil(tokens / 2);
  if (tokens > 1)
    changes.push({
      id: 'context',
      from: tokens,
      to: half,
      request: { ...request, workload: { context_tokens: half, sequences } },
    });
  const others = sequences > 1 ? 1 : kManyRequests;
  changes.push({
    id: 'sequences',
    from: sequences,
    to: others,
    request: { ...request, workload: { context_tokens: tokens, sequences: others } },
  });
  return changes;
}

/** Tokens of one step, as the engine's own formula has them. */
function stepTokens(answer: Estimate): number {
  const rows = fullest(answer)?.terms.find(({ id }) => id === 'compute')?.formula?.rows ?? [];
  return Math.max(
    0,
    ...rows.flatMap(({ factors }) => factors.filter(({ name }) => name === 'batch_tokens').map(({ value }) => value)),
  );
}

function chunks(request: Request, answer: Estimate): Change[] {
  const from = stepTokens(answer);
  if (request.engine.name !== 'vllm' || from <= kSmallStep || request.workload.sequences > kSmallStep) return [];
  const engine = { ...request.engine, options: { ...request.engine.options, max_num_batched_tokens: kSmallStep } };
  return [{ id: 'chunk', from, to: kSmallStep, request: { ...request, engine } }];
}

function splits(request: Request): Change[] {
  const [row, ...others] = request.hardware;
  if (!row || others.length > 0) return [];
  const { parallel: _overAllDevices, ...rest } = request;
  return [2, 4]
    .map((factor) => row.count * factor)
    .filter((count) => count <= kMostDevices)
    .map((count) => ({
      id: 'tensor',
      from: row.count,
      to: count,
      request: { ...rest, hardware: [{ ...row, count }] },
    }));
}

/** The largest of the distillations that is much smaller than the model. */
function siblings(request: Request, answer: Estimate, models: CatalogueModel[]): Change[] {
  const most = answer.model.parameters.text / kMuchSmaller;
  const [model] = models
    .filter(({ id, summary }) => kRelative.test(id) && summary.parameters <= most)
    .sort((a, b) => b.summary.parameters - a.summary.parameters);
  if (!model) return [];
  const tokens = Math.min(request.workload.context_tokens, model.max_context_tokens);
  const changed: Request = {
    ...request,
    model: { id: model.id },
    weights: request.weights.format.startsWith('gguf:') ? request.weights : { format: 'checkpoint' },
    workload: { ...request.workload, context_tokens: tokens },
  };
  return [{ id: 'sibling', from: answer.model.name || answer.model.architecture, to: model.name, request: changed }];
}

/** The article has no rule for a cache apart from the weights, nor for the size of a step. */
const kWithoutRule: SavingId[] = ['cache', 'chunk'];

const byArticle = ({ parallel: _notItsOwn, ...request }: Request): Request => ({
  ...request,
  kv_cache: { k: 'auto', v: 'auto' },
  engine: { name: 'article' },
});

interface Total {
  bytes: number | null;
  reason: Notice | null;
}

function totalOf(core: Core, request: Request): Total {
  const reply = core.call('estimate', request);
  if (!reply.ok && lacksEngines(reply.error)) throw new Refusal(reply.error);
  if (!reply.ok) return { bytes: null, reason: reply.error };
  return { bytes: fullest(reply.result)?.total_bytes ?? null, reason: reply.result.verdict.reason };
}

const difference = (base: Total, changed: Total): number | null =>
  base.bytes === null || changed.bytes === null ? null : base.bytes - changed.bytes;

/** What each strategy saves for a setup that `answer` counts. */
export function savings(core: Core, answer: Estimate, catalogue: Choices): Saving[] {
  const { request } = answer;
  const engine = catalogue.engines.find(({ name }) => name === request.engine.name);
  const base = totalOf(core, request);
  const articleBase = totalOf(core, byArticle(request));
  const changes = [
    ...formats(request, answer, engine),
    ...cacheIn8Bits(request, engine),
    ...workload(request),
    ...chunks(request, answer),
    ...splits(request),
    ...siblings(request, answer, catalogue.models),
  ];
  return changes.map(({ id, from, to, request: changed }) => {
    const total = totalOf(core, changed);
    const article = kWithoutRule.includes(id) ? null : difference(articleBase, totalOf(core, byArticle(changed)));
    return { id, from, to, article, engine: difference(base, total), reason: total.reason };
  });
}
