// SPDX-License-Identifier: Apache-2.0
// Both builds of the core for the tests here: WebAssembly in this process, the native program behind a pipe.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));
const wasmFolder = process.env.WEIGHBRIDGE_WASM ?? `${root}build/wasm`;
const nativeProgram = process.env.WEIGHBRIDGE_NATIVE ?? `${root}build/native/weighbridge`;

/** The text of `catalogue.load` with the catalogue as it is kept: the native program embeds the same. */
export function catalogueRequest() {
  const [models, devices] = ['models', 'gpus'].map((name) =>
    JSON.parse(readFileSync(`${wasmFolder}/catalogue/${name}.json`, 'utf8')),
  );
  return JSON.stringify({ method: 'catalogue.load', params: { models, devices } });
}

async function load(name) {
  const { default: create } = await import(`${wasmFolder}/${name}.mjs`);
  return create({ wasmBinary: readFileSync(`${wasmFolder}/${name}.wasm`) });
}

/** A fresh instance of the module that reads files: its `call` and `push`. */
export const loadReader = () => load('weighbridge-read');

/** `call(text)` of the module that reads configs, with the catalogue loaded: it does all that the native program does. */
export async function loadWasm() {
  const core = await loadReader();
  const loaded = JSON.parse(core.call(catalogueRequest()));
  if (!loaded.ok) throw new Error(`catalogue.load: ${loaded.error.message}`);
  return (text) => core.call(text);
}

/** `call(text)` of a module that lists the catalogue and counts what a request brings the spec of: the page's first, or that of all engines. */
export async function loadCounting(packed, name = 'weighbridge') {
  const core = await load(name);
  const devices = JSON.parse(readFileSync(`${wasmFolder}/catalogue/gpus.json`, 'utf8'));
  const loaded = JSON.parse(core.call(JSON.stringify({ method: 'catalogue.load', params: { models: packed.models, devices } })));
  if (!loaded.ok) throw new Error(`catalogue.load: ${loaded.error.message}`);
  return (text) => core.call(text);
}

/** The catalogue as the page has it: `packed` lists the models, `rows` have their specs, and `specOf(row)` is what a request brings of one. */
export function packCatalogue(call) {
  const file = JSON.parse(readFileSync(`${wasmFolder}/catalogue/models.json`, 'utf8'));
  const request = { method: 'catalogue.pack', params: { models: file } };
  const { models, specs } = JSON.parse(call(JSON.stringify(request))).result;
  const rows = models.models.map(({ summary: [parameters, , tokens], ...row }, index) => ({
    ...row,
    number: specs.of[index],
    parameters,
    tokens,
  }));
  /** web/src/core/specs.ts */
  const specOf = ({ number }) => {
    const spec = specs.specs[number];
    const used = [...new Set(spec.tensors.map(([name]) => name))];
    const tensors = spec.tensors.map(([name, ...rest]) => [used.indexOf(name), ...rest]);
    return { ...spec, names: used.map((name) => specs.names[name]), tensors };
  };
  const whole = models.models.map((row, index) => ({ ...row, spec: specs.specs[specs.of[index]] }));
  return { rows, specOf, packed: { models }, whole: { models: { ...models, models: whole, names: specs.names } } };
}

/** Reads one file through a session as the page does: `read(offset, bytes)` gives a Uint8Array. The last answer. */
export function readFile(core, name, size, read) {
  let answer = JSON.parse(
    core.call(JSON.stringify({ method: 'read.open', params: { files: [{ name, size_bytes: size }] } })),
  );
  const { handle } = answer.result;
  while (answer.ok && !answer.result.done) {
    const [{ offset, bytes }] = answer.result.needs;
    answer = JSON.parse(core.push(handle, name, size, offset, read(offset, bytes)));
  }
  core.call(JSON.stringify({ method: 'read.close', params: { handle } }));
  return answer;
}

/** A GGUF header with `tokens` tokens, as many merges, and `tensors` tensors. */
export function largeHeader(tokens, tensors) {
  const parts = [];
  const u32 = (n) => { const b = Buffer.alloc(4); b.writeUInt32LE(n); parts.push(b); }; // prettier-ignore
  const u64 = (n) => { const b = Buffer.alloc(8); b.writeBigUInt64LE(BigInt(n)); parts.push(b); }; // prettier-ignore
  const text = (s) => { u64(s.length); parts.push(Buffer.from(s)); }; // prettier-ignore
  const list = (key, type, length) => { text(key); u32(9); u32(type); u64(length); }; // prettier-ignore
  parts.push(Buffer.from('GGUF'));
  u32(3);
  u64(tensors);
  u64(4);
  text('general.architecture');
  u32(8);
  text('llama');
  list('tokenizer.ggml.tokens', 8, tokens);
  for (let i = 0; i < tokens; i++) text(`token${i}`);
  list('tokenizer.ggml.token_type', 5, tokens);
  parts.push(Buffer.alloc(4 * tokens));
  list('tokenizer.ggml.merges', 8, tokens);
  for (let i = 0; i < tokens; i++) text(`tok en${i}`);
  for (let i = 0; i < tensors; i++) {
    text(`blk.${i}.ffn_down_exps.weight`);
    u32(2);
    u64(256);
    u64(4);
    u32(12);
    u64(576 * i);
  }
  const header = Buffer.concat(parts);
  return new Uint8Array(Buffer.concat([header, Buffer.alloc((32 - (header.length % 32)) % 32)]));
}

/** The native program's answers to `lines`, one each. */
export async function askNative(lines) {
  const program = spawn(nativeProgram, ['--lines'], { stdio: ['pipe', 'pipe', 'inherit'] });
  program.stdin.end(lines.join('\n') + '\n');
  const answers = [];
  for await (const answer of createInterface({ input: program.stdout })) answers.push(answer);
  return answers;
}
