// SPDX-License-Identifier: Apache-2.0
// Time of one call() in WebAssembly, JSON both ways: node tests/wasm/bench.mjs
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { largeHeader, loadCounting, loadReader, loadWasm, packCatalogue, readFile, root } from './core.mjs';
import { kFirstScreen, kSmallest, likelyOrder } from './listed.mjs';

const call = await loadWasm();
const estimate = (model, device, count, engine = 'vllm') => ({
  method: 'estimate',
  params: {
    model: { id: model },
    engine: { name: engine },
    workload: { context_tokens: 2048, sequences: 16 },
    hardware: [{ device, count }],
  },
});
const usual = estimate('deepseek-ai/DeepSeek-R1', 'h200-sxm', 8);
const estimates = {
  'DeepSeek-R1 on 8 x H200': usual,
  '7B on one RTX 4090': estimate('deepseek-ai/DeepSeek-R1-Distill-Qwen-7B', 'rtx-4090', 1),
  'article rule on 1,024 devices': estimate('article/30b', 'h200-sxm', 1024, 'article'),
};
const cases = {
  'sweep, 200 points': {
    method: 'sweep',
    params: {
      request: usual.params,
      axis: 'context_tokens',
      values: Array.from({ length: 200 }, (_, i) => 800 * (i + 1)),
    },
  },
  'share.decode': {
    method: 'share.decode',
    params: { hash: 'v=1&m=deepseek-r1-distill-llama-70b&w=int4&ctx=8k&n=1&g=2xrtx-3090' },
  },
  catalogue: { method: 'catalogue' },
};

const seconds = 0.5;

/** Runs `work` for a while and prints how long it takes, after `warmUp` runs for the browser's compiler. */
function time(name, warmUp, work) {
  for (let i = 0; i < warmUp; i++) work();
  const times = [];
  for (const end = performance.now() + 1000 * seconds; performance.now() < end;) {
    const start = performance.now();
    work();
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  const us = (share) => (1000 * times[Math.floor(share * (times.length - 1))]).toFixed(0).padStart(7);
  console.log(`${name.padEnd(54)} median ${us(0.5)} us, p95 ${us(0.95)} us (${times.length} calls)`);
}

for (const [name, request] of Object.entries(cases)) {
  const text = JSON.stringify(request);
  time(name, 300, () => call(text));
}

const reader = await loadReader();
const header = largeHeader(150_000, 1000);
const size = 2 ** 40; // the weights behind it are never asked for
const read = () => readFile(reader, 'large.gguf', size, (offset, bytes) => header.subarray(offset, offset + bytes));
if (!read().result?.done) throw new Error('the header was not read to its end');
time(`GGUF header, ${(header.length / 2 ** 20).toFixed(1)} MiB, 1,000 tensors`, 20, read);

// "What can my GPU run?": each list in a process of its own, as the page asks for it.
for (const [device, count, engine, gib] of [
  ['rtx-4090', 1, 'llama.cpp', 0],
  ['rtx-3090', 2, 'llama.cpp', 0],
  ['rtx-4090', 2, 'llama.cpp', 0],
  ['rtx-4090', 1, 'llama.cpp', 64],
  ['rtx-3060-12gb', 1, 'llama.cpp', 32],
  ['rtx-3090', 2, 'llama.cpp', 64],
  ['rtx-4090', 1, 'vllm', 0],
  ['h100-sxm', 8, 'vllm', 0],
])
  for (const flags of [[], ['--at-once']])
    spawnSync(process.execPath, [`${root}tests/wasm/list_bench.mjs`, device, count, engine, gib, ...flags], { stdio: 'inherit' });

// From here with the catalogue whole in the module, as the list has it once it was counted.
const { rows, whole: packed } = packCatalogue(call);
const start = performance.now();
const solver = await loadCounting(packed, 'weighbridge-full');
console.log(`module and catalogue with every spec loaded in ${(performance.now() - start).toFixed(0)} ms`);

// After the lists, whose first answer is that of a fresh process: the browser compiles what it needs then.
const pageBegin = await loadCounting(packed);
for (const [name, request] of Object.entries(estimates)) {
  const text = JSON.stringify(request);
  for (const [module, ask] of Object.entries({ 'first module': pageBegin, 'all engines': solver }))
    time(`estimate, ${name}, ${module}`, 300, () => ask(text));
}

// One step of the wanted context with the list on the screen: its first rows are asked anew, as web/src/reverse/worker.ts does, links included.
const kSteps = [4096, 8192, 16_384, 32_768];
const { devices } = JSON.parse(call('{"method":"catalogue"}')).result;
for (const [device, count, engine] of [
  ['rtx-4090', 1, 'vllm'],
  ['h100-sxm', 8, 'vllm'],
  ['rtx-4090', 1, 'llama.cpp'],
  ['rtx-3090', 2, 'llama.cpp'],
]) {
  const memory = count * devices.find(({ id }) => id === device).runtime_bytes;
  const shown = likelyOrder(rows, engine, memory).slice(0, kFirstScreen);
  const ask = (tokens) => {
    for (const row of shown) {
      const asked = {
        engine: { name: engine, options: {} },
        workload: { context_tokens: Math.min(tokens, row.tokens), sequences: 1 },
        hardware: [{ device, count }],
        model: { id: row.id },
      };
      const found = JSON.parse(
        solver(
          JSON.stringify({ method: 'solve', params: { find: 'weights', smallest: kSmallest, request: asked } }),
        ),
      );
      const weights = { format: found.result.weights.format };
      solver(JSON.stringify({ method: 'share.encode', params: { complete: true, request: { ...asked, weights } } }));
    }
  };
  let step = 0;
  time(`a step, ${shown.length} rows, ${count} x ${device}, ${engine}`, kSteps.length, () =>
    ask(kSteps[step++ % kSteps.length]),
  );
}

// Advice with its pairs: of an engine that is counted by formulas, and of one whose graphs are replayed.
const asked = (model, device, count, engine, tokens, sequences, format = 'checkpoint') => ({
  model: { id: model },
  weights: { format },
  engine: { name: engine },
  workload: { context_tokens: tokens, sequences },
  hardware: [{ device, count }],
  host: { memory_bytes: 1024 * 2 ** 30 },
});
const advised = {
  'DeepSeek-R1 on 8 x H100': asked('deepseek-ai/DeepSeek-R1', 'h100-sxm', 8, 'vllm', 32_768, 16),
  '32B on one RTX 4090, llama.cpp': asked('Qwen/Qwen3-32B', 'rtx-4090', 1, 'llama.cpp', 32_768, 1, 'gguf:Q4_K_M'),
  '70B on one RTX 4090, llama.cpp': asked(
    'meta-llama/Llama-3.3-70B-Instruct',
    'rtx-4090',
    1,
    'llama.cpp',
    8192,
    1,
    'gguf:Q4_K_M',
  ),
  'DeepSeek-R1 on 4 x H100, llama.cpp': asked(
    'deepseek-ai/DeepSeek-R1',
    'h100-sxm',
    4,
    'llama.cpp',
    8192,
    1,
    'gguf:Q4_K_M',
  ),
};
for (const [name, params] of Object.entries(advised)) {
  const text = JSON.stringify({ method: 'advise', params });
  time(`advise, ${name}`, 3, () => solver(text));
}

// The same job on every device of the catalogue, in slices as the page asks, and on every machine; and the cheapest machine.
const { machines } = JSON.parse(readFileSync(`${root}build/wasm/catalogue/machines.json`, 'utf8'));
const kSlice = 24; // rows
for (const [name, params] of Object.entries(advised)) {
  const total = JSON.parse(call('{"method":"catalogue"}')).result.devices.length;
  const times = [];
  for (let offset = 0; offset < total; offset += kSlice) {
    const begin = performance.now();
    solver(JSON.stringify({ method: 'compare_devices', params: { request: params, machines, offset, limit: kSlice } }));
    times.push(performance.now() - begin);
  }
  const all = times.reduce((sum, one) => sum + one, 0);
  console.log(
    `${`compare_devices, ${name}`.padEnd(52)} ${total} devices ${all.toFixed(0)} ms, slowest ${kSlice} ${Math.max(...times).toFixed(0)} ms`,
  );
  const begin = performance.now();
  solver(JSON.stringify({ method: 'solve', params: { find: 'machine', request: params, machines } }));
  console.log(`${`cheapest machine, ${name}`.padEnd(52)} ${(performance.now() - begin).toFixed(0)} ms`);
}
