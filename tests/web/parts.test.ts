// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { useLocale } from '../../web/src/i18n';
import { kMachines } from '../../web/src/views/calculator/owned-machines';
import { packConfig, unpackConfig } from '../../web/src/link';
import { fieldOf } from '../../web/src/notices';
import { matches } from '../../web/src/views/calculator/Combobox';
import { memoryChoice } from '../../web/src/devices/search';
import { marksOf, octaveStops } from '../../web/src/views/stops';

beforeAll(() => useLocale('en'));

describe('slider stops', () => {
  it('rise, start at the least and end at the most', () => {
    for (const [least, most] of [
      [2048, 163840],
      [256, 2048],
      [1, 1024],
      [2048, 10485760],
    ] as const) {
      const stops = octaveStops(least, most, 8, least === 1 ? 1 : 64);
      expect(stops[0]).toBe(least);
      expect(stops.at(-1)).toBe(most);
      expect(stops.every((stop, index) => index === 0 || stop > (stops[index - 1] ?? 0))).toBe(true);
    }
  });
  it('hold every power of two', () =>
    expect(octaveStops(2048, 163840, 8, 64)).toEqual(expect.arrayContaining([4096, 32768, 131072])));
  it('are marked at the ends and between', () => expect(marksOf(2048, 163840)).toEqual([2048, 8192, 32768, 163840]));
});

describe('a model in a link', () => {
  const config = { model_type: 'llama', hidden_size: 4096, quantization_config: { weight_block_size: [128, 128] } };
  it('comes back as it went', async () => expect(await unpackConfig((await packConfig(config)) ?? '')).toEqual(config));
  it('is left out when too long', async () => {
    const noise = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`k${i}`, Math.sin(i)]));
    expect(await packConfig(noise)).toBeUndefined();
  });
  it.each(['', 'zdamaged', 'y123', 'z', 'z!!!!'])('damaged as “%s” is refused', async (text) => {
    await expect(unpackConfig(text)).rejects.toThrow();
  });
});

describe('choices', () => {
  const choice = {
    id: 'a',
    label: 'DeepSeek-R1-Distill-Llama-70B',
    keywords: 'deepseek-ai/DeepSeek-R1-Distill-Llama-70B r1-distill',
  };
  it('are found by any part, in any order', () => {
    expect(matches(choice, '70b llama')).toBe(true);
    expect(matches(choice, 'deepseek-ai')).toBe(true);
    expect(matches(choice, 'qwen')).toBe(false);
  });
  it('may be a memory size', () => {
    expect(memoryChoice('48 GiB')?.id).toBe(`memory:${48 * 2 ** 30}`);
    expect(memoryChoice('24gb')?.id).toBe('memory:24000000000');
    expect(memoryChoice('rtx 3090')).toBeUndefined();
    expect(memoryChoice('0')).toBeUndefined();
    expect(memoryChoice('4090')).toBeUndefined();
    expect(memoryChoice('4090 GiB')).toBeDefined();
  });
});

describe('a notice', () => {
  it.each([
    ['params.workload.context_tokens', 'context'],
    ['params.config.num_attention_heads', 'model'],
    ['params.model.config.hidden_size', 'model'],
    ['params.hardware[0].count', 'hardware'],
    ['params.engine.options.gpu_memory_utilization', 'expert'],
    ['params.parallel.tensor', 'expert'],
    ['link.ctx', 'context'],
    ['link.foo', 'expert'],
  ])('about %s belongs to the field %s', (where, field) =>
    expect(fieldOf({ code: '', where, message: '', values: { key: '', value: '', expected: '' } })).toBe(field),
  );
});

describe('machines people own', () => {
  const read = (path: string) => JSON.parse(readFileSync(path, 'utf8'));
  it('name models and devices of the catalogue by their ids', () => {
    const models = read('web/first-models.json'); // so that a tap need not wait for the specs of all
    const devices = read('web/first-devices.json');
    for (const { request } of kMachines) {
      expect(models).toContain(request.model.id);
      expect(devices).toContain(request.hardware[0]?.device);
    }
  });
});
