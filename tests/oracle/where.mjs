// SPDX-License-Identifier: Apache-2.0
// Where `dev` puts what these tests need, and the models' files.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

export const built = `${root}build/oracle`;
export const program = `${root}build/native/weighbridge`;
/** Folders that hold node_modules, by flavour. */
export const packages = { cpu: `${root}tests/oracle`, cuda: `${root}tests/oracle/cuda` };

export const linesOf = (text) => text.split('\n').filter(Boolean).map((line) => JSON.parse(line)); // prettier-ignore

/** Writes the GGUF file of every model that is known by more than its size: {id, slug, architecture, n_layers, n_experts, max_context_tokens, file}. */
export function writeModels() {
  const folder = `${built}/models`;
  mkdirSync(folder, { recursive: true });
  const written = execFileSync(
    `${root}build/native/weighbridge_model_files`,
    [`${root}build/native/catalogue/models.json`, folder, 'gguf:Q4_K_M'],
    {
      encoding: 'utf8',
      maxBuffer: 1 << 26,
    },
  );
  return linesOf(written).filter((model) => model.file);
}

/** Every row of the catalogue: {id, slug, config, ...}. */
export const configs = () => JSON.parse(readFileSync(`${root}build/native/catalogue/models.json`, 'utf8')).models;

/** The file that holds what `options` ask for. */
export const fileOf = (model, options) => (options.mtp ? model.mtp_file : model.file);
