// SPDX-License-Identifier: Apache-2.0
// The page and the command line give the same answer to the byte: every golden request and more, to both builds.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { askNative, catalogueRequest, loadWasm, root } from './core.mjs';

const call = await loadWasm();

const golden = readdirSync(`${root}tests/golden`)
  .filter((name) => name.endsWith('.json'))
  .flatMap((name) => JSON.parse(readFileSync(`${root}tests/golden/${name}`, 'utf8')).calls.map(({ request, response }) => ({ name, request, response })));

// A replayed graph takes 20 times as long as a formula: one question a model, and of those who run llama.cpp with their own defaults every third.
const kAtHome = ['ollama', 'lm-studio', 'transformers', 'mlx', 'exllamav2', 'exllamav3', 'mlc-llm', 'web-llm'];
function placesOf(engine, row) {
  const once = [[17, row % 2 ? 8 : 1]];
  if (engine === 'llama.cpp') return once;
  if (kAtHome.includes(engine)) return row % 3 ? [] : once;
  return [0, 17].flatMap((step) => [[step, 1], [step, 8]]);
}

/** Models with every engine on a few devices, each time others, alone and eight at a time. */
function manyPairs() {
  const { models, devices, engines } = JSON.parse(call('{"method":"catalogue"}')).result;
  const requests = [];
  for (const engine of engines)
    for (const [row, model] of models.entries())
      for (const [step, count] of placesOf(engine.name, row))
        requests.push({
          method: 'estimate',
          params: {
            model: { id: model.id },
            engine: { name: engine.name },
            workload: { context_tokens: 256, sequences: 4 },
            hardware: [{ device: devices[(row + step) % devices.length].id, count }],
          },
        });
  return requests;
}

async function expectSame(lines) {
  const answers = await askNative(lines);
  assert.equal(answers.length, lines.length);
  lines.forEach((line, i) => assert.equal(call(line), answers[i], line.slice(0, 400)));
}

test('golden requests: the same bytes, and the kept answers', async () => {
  await expectSame(golden.map(({ request }) => JSON.stringify(request)));
  for (const { name, request, response } of golden) assert.deepEqual(JSON.parse(call(JSON.stringify(request))), response, `${name}: ${JSON.stringify(request)}`);
});

test('models with every engine', () => expectSame(manyPairs().map((request) => JSON.stringify(request))));

test('texts that are not JSON, not requests, or not UTF-8', () =>
  expectSame(['{', '{"method":"estimate","params":{"model":}}', 'nonsense', '""', 'null', '{"method":5}', '{"method":"estimate","params":[]}', '{"method":"estimate","params":{"model":{"id":"\\ud800"}}}', '['.repeat(300), '{"method":"estimate","params":{"model":{"id":"é€😀"}}}']));

test('the catalogue, and a link that is read and written again', async () => {
  const request = JSON.parse(call('{"method":"share.decode","params":{"hash":"v=1&m=deepseek-v3&ctx=128k&g=8xb200&util=0.95"}}')).result;
  await expectSame(['{"method":"catalogue"}', JSON.stringify({ method: 'share.encode', params: request }), catalogueRequest(), '{"method":"catalogue"}']);
});
