// SPDX-License-Identifier: Apache-2.0
// Writes build/catalogue: the data of the first view. Models come as specs, which the first module reads without a reader of configs, and
// without what only someone who checks a figure looks up (sources, notes, published counts); devices likewise.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import createModule from '../build/wasm/weighbridge-read.mjs';

const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));
const core = await createModule({ wasmBinary: readFileSync('build/wasm/weighbridge-read.wasm') });

const models = readJson('build/wasm/catalogue/models.json');
const packed = JSON.parse(core.call(JSON.stringify({ method: 'catalogue.pack', params: { models } })));
if (!packed.ok) throw new Error(`${packed.error.where}: ${packed.error.message}`);

const isForCheckers = (key) => key === 'notes' || key === 'sources' || key.endsWith('_source');
const devices = JSON.parse(readFileSync('core/data/gpus.json', 'utf8'), (key, value) =>
  isForCheckers(key) ? undefined : value,
);

mkdirSync('build/catalogue', { recursive: true });
writeFileSync('build/catalogue/models.json', JSON.stringify(packed.result));
writeFileSync('build/catalogue/gpus.json', JSON.stringify(devices));
