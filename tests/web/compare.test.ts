// SPDX-License-Identifier: Apache-2.0
// Links of several setups, and the rows that hold their figures against each other.
import { execFileSync } from 'node:child_process';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { joinSides, splitSides } from '../../web/src/compare/address';
import { compareMessages } from '../../web/src/compare/messages';
import { figureRow, figureRows, settingRows, type Row } from '../../web/src/compare/rows';
import { createSides, type Side } from '../../web/src/compare/sides';
import type { Estimate, Reply } from '../../web/src/core/wire';
import { memory } from '../../web/src/format';
import { useLocale } from '../../web/src/i18n';
import { createStore } from '../../web/src/store';

describe('a link', () => {
  it('of one setup is that setup', () => {
    expect(splitSides('#v=1&m=deepseek-r1&n=4')).toEqual(['v=1&m=deepseek-r1&n=4']);
    expect(splitSides('')).toEqual(['']);
    expect(joinSides(['v=1&m=deepseek-r1'])).toBe('v=1&m=deepseek-r1');
  });
  it('of three holds each, and the version once', () => {
    const hashes = ['v=1&n=4', 'v=1&m=deepseek-v3&o.x=1', 'v=1&m=qwen3-8b'];
    const link = joinSides(hashes);
    expect(link).toBe('v=1&n=4&b.m=deepseek-v3&b.o.x=1&c.m=qwen3-8b');
    expect(splitSides(`#${link}`)).toEqual(hashes);
  });
  it('whose first setup is the usual one keeps the others', () => {
    const link = joinSides(['', 'v=1&m=deepseek-v3']);
    expect(link).toBe('v=1&b.m=deepseek-v3');
    expect(splitSides(link)).toEqual(['v=1', 'v=1&m=deepseek-v3']);
  });
  it('that skips a letter, or says the version again, loses nothing', () => {
    expect(splitSides('v=1&c.n=2')).toEqual(['v=1', 'v=1&n=2']);
    expect(splitSides('v=1&b.v=1&b.n=2')).toEqual(['v=1', 'v=1&n=2']);
  });
});

const side = (count: number, format = 'checkpoint'): Side => {
  const params = {
    model: { id: 'deepseek-ai/DeepSeek-R1' },
    weights: { format },
    workload: { context_tokens: 32768, sequences: 16 },
    hardware: [{ device: 'h200-sxm', count }],
  };
  const input = JSON.stringify({ method: 'estimate', params });
  const reply = JSON.parse(execFileSync('build/native/weighbridge', { input, encoding: 'utf8' })) as Reply<Estimate>;
  if (!reply.ok) throw new Error(reply.error.message);
  const answer = reply.result;
  return { request: answer.request, answer, problem: null, kept: [], linkNotices: [], assumed: [], outside: null };
};

describe('a setup whose model is being read', () => {
  const reference = { repository: 'plain/model', revision: 'main' };
  const begin = () => {
    const { request, answer } = side(8);
    const store = createStore({ request, answer, warnings: [], dataVersion: '' });
    const sides = createSides(store);
    const cancel = vi.fn();
    store.outside.value = { state: 'reading', reference, isLinked: true, host: 'huggingface.co', cancel };
    return { store, sides, cancel };
  };
  it('ends the read when another is opened, and offers it again', () => {
    const { store, sides, cancel } = begin();
    sides.choose(0);
    expect(cancel).toHaveBeenCalledOnce();
    expect(store.outside.value).toBeNull();
    sides.choose(1);
    expect(store.outside.value).toEqual({ state: 'offer', reference, isLinked: true });
  });
  it('offers it in a copy as well', () => {
    const { store, sides } = begin();
    sides.add();
    expect(sides.sides.value[1]?.outside?.state).toBe('offer');
    expect(store.outside.value?.state).toBe('offer');
  });
  it('forgets a read of this device, which cannot be asked for again', () => {
    const { store, sides } = begin();
    store.outside.value = { state: 'reading' };
    sides.choose(0);
    sides.choose(1);
    expect(store.outside.value).toBeNull();
  });
  it('goes on reading when another is removed', () => {
    const { store, sides } = begin();
    sides.add();
    sides.choose(1);
    const cancel = vi.fn();
    store.outside.value = { state: 'reading', reference, cancel };
    sides.remove(2);
    expect(cancel).not.toHaveBeenCalled();
    expect(store.outside.value.state).toBe('reading');
    sides.add();
    sides.choose(1);
    store.outside.value = { state: 'reading', reference, cancel };
    sides.remove(0);
    expect([sides.active.value, sides.sides.value.length, cancel.mock.calls.length]).toEqual([0, 2, 1]);
  });
});

describe('rows', () => {
  beforeAll(() => useLocale('en', compareMessages));
  const [a, b] = [side(8), side(16)];
  const named = (rows: Row[], label: string): Row | undefined => rows.find((row) => row.label === label);

  it('say how far a figure is from the first', () => {
    const row = figureRow('x', [3 * 2 ** 30, 2 ** 30, 3 * 2 ** 30, 5 * 2 ** 30], (bytes) => memory(bytes, 'gib'));
    expect(row.cells.map(({ change }) => change)).toEqual(['', '\u22122.00\u00a0GiB', '=', '+2.00\u00a0GiB']);
    expect(row.differs).toBe(true);
    expect(figureRow('x', [null, 1], String).cells).toEqual([
      { text: '–', change: '' },
      { text: '1', change: '' },
    ]);
  });
  it('mark what was changed and leave out what says nothing', () => {
    const rows = settingRows([a, b], 'gib', new Map());
    expect(rows.filter(({ differs }) => differs).map(({ label }) => label)).toEqual(['GPUs', 'Layout']);
    expect(named(rows, 'Expert settings')).toBeUndefined();
    expect(named(rows, 'System memory')).toBeUndefined();
  });
  it('say what else lies on the devices, and a raised limit', () => {
    const other = {
      model: { id: 'Qwen/Qwen3-8B' },
      weights: { format: 'gguf:Q4_K_M' },
      engine: { name: 'llama.cpp' },
      workload: { context_tokens: 8192, sequences: 2 },
    };
    const [row = { count: 8 }] = a.request.hardware;
    const half = { ...row, count: 4 };
    const taken = {
      ...a.request,
      hardware: [half, { ...half, used_bytes: 2 ** 30, raised_limit: true }],
      running: [other],
    };
    const rows = settingRows([a, { ...a, request: taken }], 'gib', new Map());
    const texts = (label: string) => named(rows, label)?.cells.map(({ text }) => text);
    expect(texts('Also running there')).toEqual(['–', 'Qwen/Qwen3-8B (Q4_K_M, llama.cpp, 2 × 8k)']);
    expect(texts('Already in use on each GPU')).toEqual(['–', '4 × H200: 1.00\u00a0GiB']);
    expect(texts('GPU limit raised')).toEqual(['–', '4 × H200']);
    const one = { ...a.request, hardware: [{ ...row, used_bytes: 2 ** 30 }] };
    const [, used] =
      named(settingRows([a, { ...a, request: one }], 'gib', new Map()), 'Already in use on each GPU')?.cells ?? [];
    expect(used?.text).toBe('1.00\u00a0GiB');
    expect(named(settingRows([a, b], 'gib', new Map()), 'Already in use on each GPU')).toBeUndefined();
  });
  it('hold the same figures as the answers', () => {
    const rows = figureRows([a, b], 'gib');
    const total = named(rows, 'Total') as Row;
    const [first, second] = [a, b].map(({ answer }) => answer.devices[answer.verdict.device ?? 0]?.total_bytes ?? 0);
    expect(total.cells[0]).toEqual({ text: memory(first!, 'gib'), change: '' });
    expect(total.cells[1]).toEqual({ text: memory(second!, 'gib'), change: memory(second! - first!, 'gib') });
    expect(second).toBeLessThan(first!);
    expect(named(rows, 'System RAM')).toBeUndefined();
  });
  it('have no figures for a setup without an answer', () => {
    const problem = { code: 'x', where: 'params', message: '', values: { key: '', value: '', expected: '' } };
    const rows = figureRows([a, { ...b, problem }], 'gib');
    expect(rows.map(({ cells }) => cells[1]?.text)).toEqual(rows.map(() => '–'));
  });
});
