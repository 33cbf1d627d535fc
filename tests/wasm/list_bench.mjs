// SPDX-License-Identifier: Apache-2.0
// "What can my GPU run?" as a worker of the page counts it, in the page's own order of rows (web/src/reverse), all by itself and in a fresh process:
// node tests/wasm/list_bench.mjs DEVICE COUNT ENGINE HOST_GIB [--at-once]
// At once: the machine was known before the worker could compile what the first answer needs.
import { loadCounting, loadWasm, packCatalogue } from './core.mjs';
import { kFirstScreen, kSmallest, likelyOrder } from './listed.mjs';

const [device, countText, engine, gibText, ...flags] = process.argv.slice(2);
const count = Number(countText);
const host = Number(gibText) * 2 ** 30;
const kTokens = 8192;

const reader = await loadWasm();
const { packed, rows, specOf } = packCatalogue(reader);
const { devices } = JSON.parse(reader('{"method":"catalogue"}')).result;
const call = await loadCounting(packed, 'weighbridge-full');
const ask = (method, params) => JSON.parse(call(JSON.stringify({ method, params })));

/** web/src/reverse/solve.ts */
function solve(row, hardware, known, memory = host, tokens = kTokens) {
  const asked = {
    engine: { name: engine, options: {} },
    workload: { context_tokens: Math.min(tokens, row.tokens), sequences: 1 },
    hardware,
    ...(memory > 0 && { host: { memory_bytes: memory } }),
  };
  const request = { ...asked, model: { id: row.id, spec: specOf(row) } };
  const reply = known ?? ask('solve', { find: 'weights', smallest: kSmallest, request });
  if (!reply.ok) throw new Error(`${row.id}: ${reply.error.message}`);
  const { weights, options, gpu_layers: layers } = reply.result;
  const link = {
    ...asked,
    engine: { name: engine, options },
    model: { id: row.id },
    weights: { format: weights.format },
    kv_cache: { k: 'auto', v: 'auto' },
    ...(layers !== null && { offload: { gpu_layers: layers } }),
  };
  ask('share.encode', { complete: true, request: link });
  return reply;
}

const onDevices = count * devices.find(({ id }) => id === device).runtime_bytes;
const order = likelyOrder(rows, engine, onDevices, host);

if (!flags.includes('--at-once')) {
  // web/src/reverse/worker.ts, kThrownAway
  for (let index = 0; index < rows.length; index += 3)
    solve(rows[index], [{ device: 'rtx-4090', count: 2 }], undefined, 64 * 2 ** 30, 2048);
}
const known = new Map();
const times = [];
const begin = performance.now();
for (const row of order) {
  known.set(row.number, solve(row, [{ device, count }], known.get(row.number)));
  times.push(performance.now() - begin);
}
const at = (rowsDone) => times[rowsDone - 1].toFixed(0).padStart(4);
const name = `${count} x ${device}${host > 0 ? `, ${gibText} GiB` : ''}, ${engine}${flags.includes('--at-once') ? ', asked at once' : ''}`;
console.log(
  `list, ${name.padEnd(48)} first ${kFirstScreen} ${at(kFirstScreen)} ms, all ${order.length} ${at(order.length)} ms`,
);
