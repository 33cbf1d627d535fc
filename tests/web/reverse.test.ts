// SPDX-License-Identifier: Apache-2.0
// "What can my GPU run?": what the list holds and in which order, what the browser's name of a GPU means, and what is remembered.
import { execFileSync } from 'node:child_process';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import type {
  BestWeights,
  Catalogue,
  CatalogueModel,
  Estimate,
  RunningJob,
  VerdictClass,
} from '../../web/src/core/wire';
import { deviceSearch } from '../../web/src/devices/search';
import { deviceTexts } from '../../web/src/devices/texts';
import { useLocale } from '../../web/src/i18n';
import { gpuName, gpuQueries } from '../../web/src/reverse/guess';
import { remember, remembered } from '../../web/src/reverse/memory';
import { compareRows, isWanted, kNoFilters, likelyOrder, memoryOf, type Row } from '../../web/src/reverse/rows';
import { solveModel, type Call } from '../../web/src/reverse/solve';
import type { Task } from '../../web/src/reverse/task';

const native = (...lines: object[]): unknown[] =>
  execFileSync('build/native/weighbridge', ['--lines'], {
    input: lines.map((line) => JSON.stringify(line)).join('\n'),
    encoding: 'utf8',
    maxBuffer: 1 << 25,
  })
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).result);
const [catalogue] = native({ method: 'catalogue' }) as [Catalogue];
const find = deviceSearch(catalogue.devices);
const call = ((method: string, params: object) => ({
  ok: true,
  result: native({ method, params })[0],
  warnings: [],
})) as unknown as Call;

beforeAll(async () => {
  await useLocale('en');
  await deviceTexts();
});

describe('the GPU that a browser names', () => {
  it.each([
    [
      'ANGLE (NVIDIA, NVIDIA GeForce RTX 3090 (0x00002204) Direct3D11 vs_5_0 ps_5_0, D3D11-31.0.15.3699)',
      'NVIDIA GeForce RTX 3090',
      'rtx-3090',
    ],
    [
      'ANGLE (NVIDIA Corporation, NVIDIA GeForce RTX 4090/PCIe/SSE2, OpenGL 4.5.0)',
      'NVIDIA GeForce RTX 4090',
      'rtx-4090',
    ],
    [
      'ANGLE (NVIDIA, NVIDIA GeForce RTX 4090 Laptop GPU (0x00002757) Direct3D11 vs_5_0 ps_5_0, D3D11)',
      'NVIDIA GeForce RTX 4090 Laptop',
      'rtx-4090-laptop',
    ],
    ['AMD Radeon RX 7900 XTX (radeonsi, navi31, LLVM 15.0.7, DRM 3.49)', 'AMD Radeon RX 7900 XTX', 'rx-7900-xtx'],
    ['ANGLE (Apple, ANGLE Metal Renderer: Apple M4 Max, Unspecified Version)', 'Apple M4 Max', undefined],
    [
      'ANGLE (Intel, Intel(R) Arc(TM) B580 Graphics (0x0000E20B) Direct3D11 vs_5_0 ps_5_0, D3D11)',
      'Intel Arc B580',
      'arc-b580',
    ],
    ['GeForce GTX 980, or similar', 'GeForce GTX 980', undefined],
    ['ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device (Subzero) (0x0000C0DE)), SwiftShader driver)', '', undefined],
    ['WebKit WebGL', 'WebKit WebGL', undefined],
    ['', '', undefined],
  ])('%s', (renderer, name, device) => {
    expect(gpuName(renderer)).toBe(name);
    if (!device) return;
    const found = gpuQueries(name)
      .map(find)
      .find((devices) => devices.length > 0);
    expect(found?.[0]?.id).toBe(device);
  });
  it('an Apple chip comes in several sizes, all of which are offered', () =>
    expect(find('Apple M4 Max').map(({ id }) => id)).toEqual(
      expect.arrayContaining(['apple-m4-max-64gb', 'apple-m4-max-128gb']),
    ));
});

const model = (name: string, billions: number, part: Partial<CatalogueModel> = {}): CatalogueModel => ({
  id: `owner/${name}`,
  slug: name,
  name,
  summary: { parameters: billions * 1e9, n_experts: 0, attention: 'gqa' },
  kind: 'original',
  relation: '',
  aliases: [],
  max_context_tokens: 4096,
  checkpoint_format: 'bf16',
  ...part,
});

describe('filters', () => {
  it('sizes touch each other: every model is in one class', () => {
    for (const billions of [0.5, 4, 4.1, 15, 40, 130, 131, 1000])
      expect(
        (['4', '15', '40', '130', 'more'] as const).filter((size) =>
          isWanted(model('a', billions), { ...kNoFilters, size }),
        ),
      ).toHaveLength(1);
  });
  it('licences: permissive, other, or not recorded', () => {
    const of = (license: string | null) =>
      (['permissive', 'other', 'unstated'] as const).filter((licence) =>
        isWanted(model('a', 1, { license }), { ...kNoFilters, licence }),
      );
    expect([of('MIT'), of('Gemma licence'), of(null)]).toEqual([['permissive'], ['other'], ['unstated']]);
  });
  it('every kind of the catalogue but sizes without a name is in some filter', () => {
    for (const entry of catalogue.models)
      expect(isWanted(entry, { ...kNoFilters, kind: 'all' })).toBe(entry.kind !== 'generic');
  });
});

describe('order', () => {
  const row = (name: string, billions: number, kind: VerdictClass, short = 0): Row => ({
    id: name,
    hash: '',
    model: model(name, billions),
    class: kind,
    best: { verdict: { shortfall_bytes: short } } as BestWeights,
  });
  it('what fits, then what needs system memory, the largest first; then what lacks least', () => {
    const rows = [
      row('d', 9, 'no', 5),
      row('c', 70, 'offload'),
      row('e', 5, 'no', 2),
      row('a', 30, 'fits'),
      row('b', 8, 'fits'),
    ];
    expect(rows.sort(compareRows).map(({ id }) => id)).toEqual(['a', 'b', 'c', 'e', 'd']);
  });
  it('the largest that may fit is asked first', () => {
    const models = [model('small', 1), model('huge', 400), model('right', 30), model('large', 70)];
    const names = (host: number) =>
      likelyOrder(
        models,
        memoryOf([{ device: 'card', count: 2 }], () => 12e9, host),
        0.6,
      ).map(({ name }) => name);
    expect(names(0)).toEqual(['right', 'small', 'large', 'huge']);
    expect(names(400e9)).toEqual(['right', 'small', 'huge', 'large']);
  });
});

describe('a row opens the calculator with the very answer that it shows', () => {
  const task: Task = {
    run: 1,
    workers: 1,
    part: 0,
    engine: 'llama.cpp',
    hardware: [{ device: 'rtx-4090', count: 1, used_bytes: 0 }],
    host: { memory_bytes: 64 * 2 ** 30 },
    running: undefined,
    tokens: 8192,
    smallest: 'gguf:Q3_K_M',
    models: [],
  };
  const answerBehind = (hash: string): Estimate => {
    const [link] = native({ method: 'share.decode', params: { hash } }) as [{ request: object }];
    return native({ method: 'estimate', params: link.request })[0] as Estimate;
  };
  it.each(['Qwen/Qwen3-32B', 'meta-llama/Llama-3.3-70B-Instruct'])('%s', (id) => {
    const { best, hash } = solveModel(call, task, { id, most: 131072 });
    const { verdict } = answerBehind(hash);
    expect(verdict).toMatchObject({ class: best?.verdict.class, need_bytes: best?.verdict.need_bytes });
  });
  it('models of one spec have one answer, each with a link of its own', () => {
    const [one, other] = [
      { id: 'Qwen/QwQ-32B', most: 32768 },
      { id: 'Qwen/Qwen2.5-32B-Instruct', most: 32768 },
    ] as const;
    const alone = solveModel(call, task, other);
    expect(alone.hash).toContain('qwen2.5-32b-instruct');
    expect(solveModel(call, task, other, undefined, solveModel(call, task, one))).toEqual(alone);
  });
  it('beside a model that runs there already, which takes room', () => {
    const running: RunningJob[] = [
      {
        model: { id: 'Qwen/Qwen3-14B' },
        weights: { format: 'gguf:Q8_0' },
        engine: { name: 'llama.cpp' },
        workload: { context_tokens: 8192, sequences: 1 },
      },
    ];
    const asked = { id: 'Qwen/Qwen3-8B', most: 40960 };
    expect(solveModel(call, task, asked).best?.weights.format).toBe('checkpoint');
    const { best, hash } = solveModel(call, { ...task, running }, asked);
    expect(best?.weights.format).toBe('gguf:Q5_K_M');
    const { verdict, request } = answerBehind(hash);
    expect(verdict).toMatchObject({ class: 'fits', need_bytes: best?.verdict.need_bytes });
    expect(request.running).toHaveLength(1);
  });
});

describe('my hardware', () => {
  const kept = new Map<string, string>();
  beforeAll(() =>
    vi.stubGlobal('localStorage', {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => kept.set(key, value),
      removeItem: (key: string) => kept.delete(key),
    }),
  );
  it('is remembered, and forgotten', () => {
    const mine = { engine: 'vllm', hardware: [{ device: 'rtx-3090', count: 2 }], host: { memory_bytes: 1 } };
    remember(mine);
    expect(remembered()).toEqual(mine);
    remember(undefined);
    expect(remembered()).toBeUndefined();
  });
  it.each(['', 'nonsense', 'null', '[]', '{"engine":"vllm"}', '{"engine":"vllm","hardware":[{"count":"x"}]}'])(
    'is nothing where others wrote %s',
    (text) => {
      kept.set('myHardware', text);
      expect(remembered()).toBeUndefined();
    },
  );
});
