// SPDX-License-Identifier: Apache-2.0
// The page counts with small modules that know a model by its spec: they give the answers of the whole core.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { loadCounting, loadWasm, root } from './core.mjs';

const call = await loadWasm();

test('the modules of the page count a listed model by its spec as the whole core does; the first one says which engines it lacks', async () => {
  const models = JSON.parse(readFileSync(`${root}build/wasm/catalogue/models.json`, 'utf8'));
  const packed = JSON.parse(call(JSON.stringify({ method: 'catalogue.pack', params: { models } }))).result;
  const [first, full] = [await loadCounting(packed), await loadCounting(packed, 'weighbridge-full')];
  for (const [row, { id }] of packed.models.models.entries()) {
    const spec = { ...packed.specs.specs[packed.specs.of[row]], names: packed.specs.names };
    // Replaying a graph takes 20 times as long as a formula: a quarter of the models.
    for (const [engine, count] of row % 4 ? [['vllm', first]] : [['vllm', first], ['llama.cpp', full]]) {
      const params = { model: { id }, engine: { name: engine }, workload: { context_tokens: 256, sequences: 4 }, hardware: [{ device: 'h200-sxm', count: 2 }] };
      const expected = call(JSON.stringify({ method: 'estimate', params }));
      const request = JSON.stringify({ method: 'estimate', params: { ...params, model: { id, spec } } });
      const answer = count(request);
      // What vLLM refuses, and the caches of compressed attention, are counted by the other module too.
      const lacks = count === first && JSON.parse(answer).error?.where === 'params.engine.module';
      const { verdict, model } = JSON.parse(expected).result;
      if (lacks) assert.ok(verdict.class === 'impossible' || model.attention === 'compressed', `${id} ${verdict.class}`);
      assert.equal(lacks ? full(request) : answer, expected, `${id} ${engine}`);
      if (count === full) assert.equal(JSON.parse(first(request)).error.where, 'params.engine.module', id);
    }
  }
});

test('the first module asks for the one with every engine where other models run on the devices', async () => {
  const models = JSON.parse(readFileSync(`${root}build/wasm/catalogue/models.json`, 'utf8'));
  const packed = JSON.parse(call(JSON.stringify({ method: 'catalogue.pack', params: { models } }))).result;
  const [first, full] = [await loadCounting(packed), await loadCounting(packed, 'weighbridge-full')];
  const row = packed.models.models.findIndex(({ id }) => id === 'Qwen/Qwen3-8B');
  const model = { id: 'Qwen/Qwen3-8B', spec: { ...packed.specs.specs[packed.specs.of[row]], names: packed.specs.names } };
  const other = { model, weights: { format: 'gguf:Q4_K_M' }, engine: { name: 'llama.cpp' }, workload: { context_tokens: 4096, sequences: 1 } };
  const params = { ...other, engine: { name: 'vllm' }, weights: { format: 'checkpoint' }, hardware: [{ device: 'h100-sxm', count: 1 }], running: [other] };
  const request = JSON.stringify({ method: 'estimate', params });
  assert.equal(JSON.parse(first(request)).error.where, 'params.engine.module');
  const beside = JSON.parse(full(request)).result.devices[0];
  assert.equal(beside.running[0].id, 'Qwen/Qwen3-8B');
  assert.equal(beside.used_bytes, beside.running[0].bytes);
});
