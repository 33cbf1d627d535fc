// SPDX-License-Identifier: Apache-2.0
// Both builds of the core for the tests here: WebAssembly in this process, the native program behind a pipe.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));
const wasmFolder = process.env.WEIGHBRIDGE_WASM ?? `${root}build/wasm`;
const nativeProgram = process.env.WEIGHBRIDGE_NATIVE ?? `${root}build/native/weighbridge`;

/** The text of `catalogue.load` as the page sends it. */
export function catalogueRequest() {
  const [models, devices] = ['models', 'gpus'].map((name) => JSON.parse(readFileSync(`${root}core/data/${name}.json`, 'utf8')));
  return JSON.stringify({ method: 'catalogue.load', params: { models, devices } });
}

/** `call(text)` of a fresh WebAssembly instance with the catalogue loaded. */
export async function loadWasm() {
  const { default: create } = await import(`${wasmFolder}/weighbridge.mjs`);
  const core = await create({ wasmBinary: readFileSync(`${wasmFolder}/weighbridge.wasm`) });
  const loaded = JSON.parse(core.call(catalogueRequest()));
  if (!loaded.ok) throw new Error(`catalogue.load: ${loaded.error.message}`);
  return (text) => core.call(text);
}

/** The native program's answers to `lines`, one each. */
export async function askNative(lines) {
  const program = spawn(nativeProgram, ['--lines'], { stdio: ['pipe', 'pipe', 'inherit'] });
  program.stdin.end(lines.join('\n') + '\n');
  const answers = [];
  for await (const answer of createInterface({ input: program.stdout })) answers.push(answer);
  return answers;
}
