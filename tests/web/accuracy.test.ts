// SPDX-License-Identifier: Apache-2.0
// The scoreboard has words for all that it shows, in every language, and something to show.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  architecturesOf,
  kBeside,
  kPlaces,
  kServing,
  kServingTerms,
  kSpeed,
  kSpeedTerms,
  kStated,
  kTerms,
  rowsOf,
  servingOf,
  speedOf,
  type Scoreboard,
} from '../../web/src/accuracy/scoreboard';

const board: Scoreboard = JSON.parse(readFileSync('tests/truth/scoreboard.json', 'utf8'));
const texts = (locale: string): Record<string, string> =>
  JSON.parse(readFileSync(`web/messages/accuracy.${locale}.json`, 'utf8'));

describe('the scoreboard', () => {
  it.each(kPlaces)('has every term of %s', (place) =>
    expect(rowsOf(board, place).map(({ term }) => term)).toEqual([...kTerms]),
  );
  it.each(kBeside)('has weights and buffers of %s', (place) =>
    expect(rowsOf(board, place).map(({ term }) => term)).toEqual(expect.arrayContaining(['weights', 'compute'])),
  );
  it('has architectures', () => expect(architecturesOf(board).length).toBeGreaterThan(40));
  it('leaves out no place of a device', () => {
    const places = new Set(board.rows.map(({ place }) => place).filter((place) => !place.startsWith('host beside')));
    expect([...places].sort()).toEqual([...kPlaces, ...kBeside, ...kStated, kSpeed].sort());
  });
  it('shows every row of a serving engine', () => {
    const rows = board.rows.filter(({ engine, place }) => engine !== 'llama.cpp' && place !== kSpeed);
    expect(kServing.flatMap((engine) => servingOf(board, engine)).length).toBe(rows.length);
  });
  it('shows the speed of every engine, most records inside the range', () => {
    const rows = speedOf(board);
    expect(rows.length).toBe(board.rows.filter(({ place }) => place === kSpeed).length);
    for (const { engine, term, inside } of rows)
      expect({ engine, term, inside: inside >= 0.9 }).toEqual({ engine, term, inside: true });
  });
  it('names the models that are not exact, each with its cause', () => {
    const { records, exact, missed } = board.models;
    expect(new Set(missed.map(({ model }) => model)).size).toBe(records - exact);
    expect(exact / records).toBeGreaterThan(0.95);
    for (const { slug, figure, why } of missed) {
      expect(why).not.toBe('');
      expect(texts('zh-CN')).toHaveProperty([`notice.miss.${slug}`]);
      for (const locale of ['en', 'zh-CN'])
        expect(texts(locale)).toHaveProperty([`accuracy.figure.${figure.replaceAll(' ', '_')}`]);
    }
  });
  it('names the causes of records of serving engines that are off', () => {
    // Those above the worst that is asked for: tokens of a vLLM pool, and weights of TensorRT-LLM.
    const ids = board.missed.map(({ id }) => id);
    for (const id of ['vllm-21348-a', 'l2-zufayu-b200_dsr_fp8_mtp3_ep8_tp8_post3--server_fp8_latency_chat_ep8_c32_dp'])
      expect(ids).toContain(id);
    for (const { id, engine, why } of board.missed) {
      expect(why).not.toBe('');
      expect(kServing).toContain(engine);
      expect(texts('zh-CN')).toHaveProperty([`notice.miss.${id}`]);
    }
  });
  it.each(['en', 'zh-CN'])('has words in %s', (locale) => {
    const ids = [
      ...[...kPlaces, ...kBeside].map((place) => `place.${place.replaceAll(' ', '_')}`),
      ...kStated.map((place) => `place.${place.replaceAll(' ', '_')}`),
      ...[...kTerms, ...kServingTerms, ...kSpeedTerms].map((term) => `term.${term.replaceAll(' ', '_')}`),
    ];
    for (const id of ids) expect(texts(locale)).toHaveProperty([`accuracy.${id}`]);
  });
});
