// SPDX-License-Identifier: Apache-2.0
// The search of GPUs and machines, on the catalogue's own.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Catalogue } from '../../web/src/core/wire';
import { addMessages, useLocale } from '../../web/src/i18n';
import { CatalogueSearch } from '../../web/src/search/catalogue';
import { deviceSearch, searchedMachine } from '../../web/src/devices/search';
import { hostBytes, isMachine, machineFacts, type MachineRow } from '../../web/src/devices/machines';

const kAnswer = execFileSync('build/native/weighbridge', {
  input: '{"method":"catalogue"}',
  encoding: 'utf8',
  maxBuffer: 1 << 24,
});
const { devices } = (JSON.parse(kAnswer) as { result: Catalogue }).result;
const { machines } = JSON.parse(readFileSync('build/native/catalogue/machines.json', 'utf8')) as {
  machines: MachineRow[];
};
const nameOf = (id: string): string => devices.find((device) => device.id === id)?.short_name ?? id;
const findDevices = deviceSearch(devices);
const machineSearch = new CatalogueSearch(machines.map((row) => searchedMachine(row, nameOf)));
const find = (text: string): string[] => findDevices(text).map((device) => device.id);
const findMachine = (text: string): string[] => machineSearch.find(text).map(({ row }) => row.id);
const machine = (id: string): MachineRow => {
  const found = machines.find((row) => row.id === id);
  if (!found) throw new Error(id);
  return found;
};

const kDeviceTexts = {
  en: () => import('../../web/messages/devices.en.json'),
  'zh-CN': () => import('../../web/messages/devices.zh-CN.json'),
};

beforeAll(async () => {
  await useLocale('en');
  await addMessages(kDeviceTexts);
});

describe('the first GPU that is found for', () => {
  it.each([
    ['4090', 'rtx-4090'],
    ['rtx4090', 'rtx-4090'],
    ['rtx 3090 ti', 'rtx-3090-ti'],
    ['4090 laptop', 'rtx-4090-laptop'],
    ['4060 ti 16', 'rtx-4060-ti-16gb'],
    ['h100', 'h100-sxm'],
    ['a100 sxm 80', 'a100-sxm4-80gb'],
    ['m4 max 128', 'apple-m4-max-128gb'],
    ['macbook m3 pro 36', 'apple-m3-pro-36gb'],
    ['苹果 m2 24', 'apple-m2-24gb'],
    ['7900xtx', 'rx-7900-xtx'],
    ['radeon 9070 xt', 'rx-9070-xt'],
    ['mi300x', 'mi300x'],
    ['strix halo 128', 'ryzen-ai-max-395-128gb'],
    ['dgx spark', 'gb10-dgx-spark'],
    ['b580', 'arc-b580'],
    ['昇腾 910b3', 'ascend-910b3'],
    ['ironwood', 'tpu-v7x'],
    ['h100 mig 1g.10gb', 'h100-mig-1g-10gb'],
    ['a10-8q', 'a10-8q-vgpu'],
    ['orin nano super', 'jetson-orin-nano-super-8gb'],
  ])('%s is %s', (text, id) => expect(find(text)[0]).toBe(id));

  it('all are found by their name, their id and what their vendor is called', () => {
    const lost = devices.filter(
      ({ id, name, short_name: short }) => ![id, name, short].every((text) => find(text).includes(id)),
    );
    expect(lost.map(({ id }) => id)).toEqual([]);
    expect(find('英伟达').length).toBe(devices.filter(({ vendor }) => vendor === 'NVIDIA').length);
  });
});

describe('machines', () => {
  it.each([
    ['p5.48xlarge', 'aws-p5-48xlarge'],
    ['dgx h100', 'sys-dgx-h100'],
    ['azure a10', 'azure-nv36ads-a10-v5'],
    ['gcp 8 h100', 'gcp-a3-highgpu-8g'],
    ['阿里云 gn7e', 'alibaba-gn7e-c16g1-4xlarge'],
  ])('%s finds %s', (text, id) => expect(findMachine(text)).toContain(id));

  it('say what an hour costs only with where and when', () => {
    const facts = machineFacts(machine('aws-p5-48xlarge'), nameOf);
    expect(facts).toContain('8 × H100 · ');
    expect(facts).toMatch(/\$\d+\.\d\d an hour \(us-east-1, 2026-07-20\)$/);
    expect(machineFacts(machine('sys-dgx-h100'), nameOf)).toMatch(/no price found$/);
    expect(machineFacts(machine('runpod-1x-h200-sxm'), nameOf)).toMatch(/sources disagree\)$/);
    expect(machineFacts(machine('alibaba-gn7e-c16g1-4xlarge'), nameOf)).toMatch(
      /CN¥34\.74 an hour \(cn-shanghai, 2023-06\)$/,
    );
    for (const row of machines.filter(({ price }) => price))
      expect(machineFacts(row, nameOf)).toMatch(/ an hour \([^,]+, 20\d\d(-\d\d){0,2}(; sources disagree)?\)$/);
  });

  it('give their memory, unless it is that of the GPU', () => {
    expect(hostBytes(machine('aws-p5-48xlarge'))).toBe(2048 * 2 ** 30);
    expect(hostBytes(machine('sys-dgx-spark'))).toBeUndefined();
  });

  it('are recognized by their GPUs', () => {
    const dgx = machine('sys-dgx-h100');
    expect(isMachine(dgx, [{ device: 'h100-sxm', count: 8, used_bytes: 0 }])).toBe(true);
    expect(isMachine(dgx, [{ device: 'h100-sxm', count: 4 }])).toBe(false);
  });
});
