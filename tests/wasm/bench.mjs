// SPDX-License-Identifier: Apache-2.0
// Time of one call() in WebAssembly, JSON both ways: node tests/wasm/bench.mjs
import { largeHeader, loadReader, loadWasm, readFile } from './core.mjs';

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
const cases = {
  'estimate, DeepSeek-R1 on 8 x H200': usual,
  'estimate, 7B on one RTX 4090': estimate('deepseek-ai/DeepSeek-R1-Distill-Qwen-7B', 'rtx-4090', 1),
  'estimate, article rule on 1,024 devices': estimate('article/30b', 'h200-sxm', 1024, 'article'),
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
  console.log(`${name.padEnd(42)} median ${us(0.5)} us, p95 ${us(0.95)} us (${times.length} calls)`);
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
