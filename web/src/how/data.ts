// SPDX-License-Identifier: Apache-2.0
// All that the build writes into "How we count": the figures of the article's own case, and those that follow no number of the reader.
import type { Core } from '../core/core';
import type { CatalogueModel, Estimate, HardwareRow, Request, Term } from '../core/wire';
import { ask, fullest, hashOf, kArticleCase, kSizes, requestOf, termOf, type Case, type EngineName } from './ask';
import { caseFigures, kDeployments, type CaseFigures, type DeploymentId } from './figures';
import { reproduced, type Printed } from './prints';

/** A model beside the article's sizes. Bytes a token are for one request on one GPU. */
export interface Member {
  id: string;
  name: string;
  parameters: number;
  active: number;
  attention: string;
  format: string;
  weights: number;
  /** The article's formula, times the layers it leaves out. */
  tokenByHeads: number;
  token: number;
  /** Where it fits, as a link to the calculator. */
  setup: HardwareRow;
  hash: string;
}

export interface TermFacts {
  id: string;
  basis: Term['basis'];
  records: number;
  bytes: number;
  low: number;
  high: number;
}

export interface HowData {
  figures: CaseFigures;
  printed: Printed[];
  weights: { id: string; format: Case['format']; article: number; engine: number }[];
  cacheRows: { one: number; sixteen: number };
  family: Member[];
  /** The 70B distillation with a cache of 8 bits. */
  quantizedToken: { name: string; token: number };
  sure: {
    terms: TermFacts[];
    need: number;
    inside: number;
    limit: number;
    capacity: number;
    low: number;
    high: number;
    device: string;
    count: number;
    model: string;
    engine: string;
    version: string;
    sources: { text: string; url: string | null }[];
    /** Names, and versions as a list says them: the text is in the page twice, and compresses to one. */
    engines: [string, string][];
    models: number;
    devices: number;
    measuredDevices: number;
    dataVersion: string;
  };
  deviceNames: Record<string, string>;
}

const kFamily = /^deepseek-ai\/DeepSeek-R1(?:$|-Distill-)/;
const kProbe = { context_tokens: 2048, sequences: 1 };
/** Small to large; a member is shown on the first that it fits on. */
const kSetups: HardwareRow[] = [
  { device: 'rtx-4090', count: 1 },
  { device: 'a100-sxm4-80gb', count: 1 },
  { device: 'a100-sxm4-80gb', count: 2 },
  { device: 'a100-sxm4-80gb', count: 4 },
  { device: 'h200-sxm', count: 8 },
];

const memberRequest = (id: string, engine: EngineName, hardware: HardwareRow): Request => ({
  model: { id },
  weights: { format: 'checkpoint' },
  kv_cache: { k: 'auto', v: 'auto' },
  engine: { name: engine },
  workload: kProbe,
  hardware: [hardware],
});

const kOneCard: HardwareRow = { device: 'h200-sxm', count: 1 };

/** The full sequences of the cache, without the spare block, over their tokens. */
function bytesPerToken(answer: Estimate): number {
  const row = termOf(answer, 'kv_cache').formula?.rows.find(({ label }) => label === 'full_sequences');
  if (!row) throw new Error("the core's cache formula lacks its full sequences");
  return row.bytes / (kProbe.context_tokens * kProbe.sequences);
}

function member(core: Core, model: CatalogueModel): Member {
  const answer = ask(core, memberRequest(model.id, 'vllm', kOneCard));
  const byHeads =
    termOf(ask(core, { ...memberRequest(model.id, 'article', kOneCard), weights: { format: 'fp16' } }), 'kv_cache')
      .bytes / kProbe.context_tokens;
  const setup = kSetups.find(
    (hardware) => ask(core, memberRequest(model.id, 'vllm', hardware)).verdict.class === 'fits',
  );
  if (!setup) throw new Error(`${model.id} fits on none of the setups that the page shows`);
  return {
    id: model.id,
    name: model.name,
    parameters: model.summary.parameters,
    active: answer.model.active_parameters,
    attention: model.summary.attention,
    format: model.checkpoint_format,
    weights: termOf(answer, 'weights').bytes,
    tokenByHeads: byHeads * answer.model.n_layers,
    token: bytesPerToken(answer),
    setup,
    hash: hashOf(core, memberRequest(model.id, 'vllm', setup)),
  };
}

function quantizedToken(core: Core, models: CatalogueModel[]): HowData['quantizedToken'] {
  const model = models.find(({ id }) => id === 'deepseek-ai/DeepSeek-R1-Distill-Llama-70B');
  if (!model) throw new Error('the catalogue lacks the 70B distillation');
  const request = { ...memberRequest(model.id, 'vllm', kOneCard), kv_cache: { k: 'fp8', v: 'fp8' } };
  return { name: model.name, token: bytesPerToken(ask(core, request)) };
}

function weightsTable(core: Core): HowData['weights'] {
  const count = (model: string, format: Case['format'], engine: EngineName): number =>
    termOf(ask(core, requestOf({ ...kArticleCase, model, format }, engine)), 'weights').bytes;
  return kSizes.flatMap((id) =>
    (['fp16', 'int8'] as const).map((format) => ({
      id,
      format,
      article: count(id, format, 'article'),
      engine: count(id, format, 'vllm'),
    })),
  );
}

/** The cache of 32 layers at 2048 tokens, without the spare block, for one request and for sixteen. */
function cacheRows(core: Core): HowData['cacheRows'] {
  const row = (sequences: number): number => {
    const term = termOf(ask(core, requestOf({ ...kArticleCase, sequences }, 'vllm')), 'kv_cache');
    return term.formula?.rows.find(({ label }) => label === 'full_sequences')?.bytes ?? 0;
  };
  return { one: row(1), sixteen: row(16) };
}

function sure(core: Core, first: Estimate, figures: CaseFigures): HowData['sure'] {
  const catalogue = core.call('catalogue', {});
  if (!catalogue.ok) throw new Error(catalogue.error.message);
  const { models, devices, engines, data_version: dataVersion } = catalogue.result;
  const device = fullest(first);
  if (!device) throw new Error('the default answer has no device');
  const sources = new Map<string, { text: string; url: string | null }>();
  for (const { source } of [...figures.article.terms, ...figures.engine.terms, ...device.terms])
    if (source) sources.set(source.text, source);
  return {
    terms: device.terms.map(({ id, basis, records, bytes, low_bytes: low, high_bytes: high }) => ({
      id,
      basis,
      records,
      bytes,
      low,
      high,
    })),
    need: device.total_bytes,
    inside: device.need_inside_bytes,
    limit: device.limit_bytes,
    capacity: device.capacity_bytes,
    low: device.low_bytes,
    high: device.high_bytes,
    device: device.device_name,
    count: first.devices.length,
    model: first.model.name,
    engine: first.engine.name,
    version: first.engine.version,
    sources: [...sources.values()],
    engines: engines.map(({ name, versions }) => [name, versions.join(', ')]),
    models: models.length,
    devices: devices.length,
    measuredDevices: devices.filter(({ capacity_basis: basis }) => basis === 'measured').length,
    dataVersion,
  };
}

/** The article's own claims on where its deployments fit, and the one it leaves open. */
function expectDeployments(core: Core): void {
  for (const id of ['edge', 'cloud8', 'consumer'] as DeploymentId[]) {
    const { model, format, device, count } = kDeployments[id];
    const verdict = ask(core, requestOf({ ...kArticleCase, model, format }, 'article', { device, count })).verdict
      .class;
    if (verdict !== 'fits') throw new Error(`the article's deployment ${id}: expected fits, the core gives ${verdict}`);
  }
  const { model, format, device } = kDeployments.cloud8;
  const two = ask(core, requestOf({ ...kArticleCase, model, format }, 'article', { device, count: 2 })).fewest_devices;
  if (two !== 2) throw new Error(`60 GB on cards of 40 GB: expected 2 cards, the core gives ${two}`);
}

/** The math comes with the core: it would be a good part of the page's first bytes, and nobody has opened it yet. */
const withoutMath = (figures: CaseFigures): CaseFigures => ({
  ...figures,
  article: { ...figures.article, terms: [] },
  engine: { ...figures.engine, terms: [] },
});

/** Counts everything; throws where the article's figures do not come out. */
export function howData(core: Core, first: Estimate): HowData {
  const printed = reproduced(core);
  const catalogue = core.call('catalogue', {});
  if (!catalogue.ok) throw new Error(catalogue.error.message);
  const { models, devices } = catalogue.result;
  const figures = caseFigures(core, kArticleCase, catalogue.result);
  if ('problem' in figures) throw new Error(figures.problem.message);
  expectDeployments(core);
  const shown = new Set<string>([...kSizes]);
  const family = models.filter(({ id }) => kFamily.test(id) || shown.has(id)).map((model) => member(core, model));
  const used = new Set(
    [...figures.cards, ...figures.deployments.map(({ engine }) => engine), ...family.map(({ setup }) => setup)].map(
      ({ device }) => device,
    ),
  );
  return {
    figures: withoutMath(figures),
    printed,
    weights: weightsTable(core),
    cacheRows: cacheRows(core),
    family,
    quantizedToken: quantizedToken(core, models),
    sure: sure(core, first, figures),
    deviceNames: Object.fromEntries(
      devices.filter(({ id }) => used.has(id)).map(({ id, short_name: name }) => [id, name]),
    ),
  };
}
