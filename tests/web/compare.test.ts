// SPDX-License-Identifier: Apache-2.0
// Links of several setups, and the rows that hold their figures against each other.
import { execFileSync } from 'node:child_process';
import { beforeAll, describe, expect, it } from 'vitest';
import { joinSides, splitSides } from '../../web/src/compare/address';
import { compareMessages } from '../../web/src/compare/messages';
import { figureRow, figureRows, settingRows } from '../../web/src/compare/rows';
import type { Side } from '../../web/src/compare/sides';
import type { Estimate, Reply } from '../../web/src/core/wire';
import { memory } from '../../web/src/format';
import { useLocale } from '../../web/src/i18n';

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

describe('rows', () => {
  beforeAll(() => useLocale('en', compareMessages));
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
  const [a, b] = [side(8), side(16)];
  const named = (rows: { label: string }[], label: string) => rows.find((row) => row.label === label);

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
  it('hold the same figures as the answers', () => {
    const rows = figureRows([a, b], 'gib');
    const total = named(rows, 'Total') as ReturnType<typeof figureRow>;
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
