// SPDX-License-Identifier: Apache-2.0
import { beforeAll, describe, expect, it } from 'vitest';
import {
  apportion,
  column,
  count,
  decimalMemory,
  largeUnits,
  memory,
  parameters,
  parseCount,
  parseFraction,
  times,
  tokensShort,
} from '../../web/src/format';
import { useLocale } from '../../web/src/i18n';

const kGiB = 2 ** 30;
beforeAll(() => useLocale('en'));

describe('memory', () => {
  it('has one decimal from ten up, two below, and MiB under one GiB', () => {
    expect(memory(116 * kGiB, 'gib')).toBe('116.0\u00a0GiB');
    expect(memory(9.5 * kGiB, 'gib')).toBe('9.50\u00a0GiB');
    expect(memory(9.999 * kGiB, 'gib')).toBe('10.0\u00a0GiB');
    expect(memory(512 * 2 ** 20, 'gib')).toBe('512\u00a0MiB');
    expect(memory(1.5 * 2 ** 20, 'gib')).toBe('1.5\u00a0MiB');
    expect(memory(0, 'gib')).toBe('0.00\u00a0GiB');
  });
  it('is as the article writes it where it is held against the article', () => {
    expect(decimalMemory(14_050_331_648)).toBe('14.05\u00a0GB');
    expect(decimalMemory(16_777_216)).toBe('16.8\u00a0MB');
    expect(decimalMemory(70_272)).toBe('70.3\u00a0kB');
    expect(decimalMemory(0)).toBe('0.00\u00a0GB');
  });
  it('is a multiple of other memory', () =>
    expect([32, 4.25, 56.9].map(times)).toEqual(['32\u00a0×', '4.3\u00a0×', '57\u00a0×']));
  it('counts GB by the thousand', () => expect(memory(141e9, 'gb')).toBe('141.0\u00a0GB'));
  it('uses a real minus, but none for zero', () => {
    expect(largeUnits(-2 * kGiB, 'gib')).toBe('−2.00');
    expect(largeUnits(-1, 'gib')).toBe('0.00');
  });
});

describe('columns', () => {
  it('add up as shown', () => {
    const parts = [79.649 * kGiB, 34.349 * kGiB, 1.349 * kGiB, 1.649 * kGiB];
    const shown = column(parts, 'gib');
    expect(shown.parts.reduce((sum, part) => sum + Number(part), 0).toFixed(1)).toBe(shown.total);
  });
  it('show two decimals of a small total', () =>
    expect(column([13.04 * kGiB, 0.03 * kGiB], 'gib')).toEqual({ parts: ['13.04', '0.03'], total: '13.07' }));
  it('give the missing step to the largest remainder', () => expect(apportion([14, 14, 12], 10)).toEqual([2, 1, 1]));
});

describe('numbers in text', () => {
  it('are short where a name is', () => {
    expect(parameters(671026419200)).toBe('671B');
    expect(parameters(1777088000)).toBe('1.78B');
    expect(parameters(596049920)).toBe('596M');
    expect(tokensShort(32768)).toBe('32k');
    expect(tokensShort(2500)).toBe('2,500');
    expect(count(163840)).toBe('163,840');
  });
});

describe('what people type', () => {
  it.each([
    ['131072', 131072],
    ['32,768', 32768],
    ['32.768', 32768],
    ['32 768', 32768],
    ['128k', 131072],
    ['128K', 131072],
    ['128×1024', 131072],
    ['1m', 1048576],
    [' 16 ', 16],
  ])('%s is a count', (text, value) => expect(parseCount(text)).toBe(value));
  it.each(['', 'many', '1.5', '-3', '1e5', '32,76', '12345678901234567890', '0x10'])('“%s” is none', (text) =>
    expect(parseCount(text)).toBeUndefined(),
  );
  it.each([
    ['0.9', 0.9],
    ['0,9', 0.9],
    ['90%', 0.9],
    ['.95', 0.95],
    ['2', 2],
  ])('%s is a fraction', (text, value) => expect(parseFraction(text)).toBe(value));
  it.each(['', 'x', '1.2.3', '-1'])('“%s” is no fraction', (text) => expect(parseFraction(text)).toBeUndefined());
});
