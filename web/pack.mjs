// SPDX-License-Identifier: Apache-2.0
// Writes build/catalogue: what the page loads of the catalogue. models.json lists every model, with specs for those of first-models.json: the
// default one, the article's sizes, and what "I have" proposes. specs.json has the specs of all, for when another one is chosen; listed.json has
// what else a list says of them. Their sources, notes and published counts stay in core/data: they are for those who check a figure. gpus.json has
// the devices of first-devices.json, which are those of the default and of "I have"; devices.json has all, for when another one is named;
// facts.json says of each what is known and how; machines.json is for who looks for a machine.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import createModule from '../build/wasm/weighbridge-read.mjs';

const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));
const core = await createModule({ wasmBinary: readFileSync('build/wasm/weighbridge-read.wasm') });

/** The catalogue file with `models` only, and what catalogue.pack makes of it. */
function pack(file, models) {
  const request = { method: 'catalogue.pack', params: { models: { ...file, models } } };
  const packed = JSON.parse(core.call(JSON.stringify(request)));
  if (!packed.ok) throw new Error(`${packed.error.where}: ${packed.error.message}`);
  return packed.result;
}

const file = readJson('build/wasm/catalogue/models.json');
const ids = readJson('web/first-models.json');
// The list begins with the default and goes from new to old; sizes without a name come last.
const isDefault = ({ id }) => id === ids[0];
const isGeneric = ({ kind }) => kind === 'generic';
const released = (model) => (isGeneric(model) ? '' : isDefault(model) ? '9' : (model.released ?? '0'));
file.models.sort((a, b) => released(b).localeCompare(released(a)));
const all = pack(file, file.models);
const first = pack(
  file,
  file.models.filter(({ id }) => ids.includes(id)),
);
const specOfFirst = new Map(first.models.models.map(({ id }, row) => [id, first.specs.specs[first.specs.of[row]]]));
for (const id of ids) if (!specOfFirst.has(id)) throw new Error(`web/first-models.json: the catalogue lacks ${id}`);
const models = all.models.models.map((row) =>
  specOfFirst.has(row.id) ? { ...row, spec: specOfFirst.get(row.id) } : row,
);

// What the core reads of a device; how each figure came to be known is for the view of its facts.
const kCounted = [
  'id',
  'slug',
  'aliases',
  'name',
  'short_name',
  'vendor',
  'kind',
  'architecture',
  'compute_capability',
  'backend',
  'memory',
  'bandwidth_gb_s',
  'link_gb_s',
  'tflops',
];
const kCountedMemory = [
  'marketed_gb',
  'driver_mib',
  'runtime_mib',
  'runtime_basis',
  'default_limit_mib',
  'raised_limit_mib',
  'raise_command',
];
const only = (keys, row) => Object.fromEntries(keys.filter((key) => key in row).map((key) => [key, row[key]]));
const facts = readJson('build/wasm/catalogue/gpus.json');
const devices = facts.devices.map((row) => ({
  ...only([...kCounted, 'unified_memory', 'mig', 'formats'], row),
  memory: only(kCountedMemory, row.memory),
}));
const firstDevices = readJson('web/first-devices.json').map((id) => {
  const device = devices.find((row) => row.id === id);
  if (!device) throw new Error(`web/first-devices.json: the catalogue lacks ${id}`);
  return device;
});

mkdirSync('build/catalogue', { recursive: true });
// What only a list shows comes when it is opened. Whom a small model descends from the core has to know, to name it (core/src/advise/relatives.cpp).
const isDescent = (relation) => /\b(distilled from|the small one of) /.test(relation ?? '');
const counted = models.map(({ license: _licence, relation, ...row }) =>
  isDescent(relation) ? { ...row, relation } : row,
);
const listed = models.map(({ id, license, relation }) => [id, { license, relation }]);
writeFileSync(
  'build/catalogue/models.json',
  JSON.stringify({ ...all.models, models: counted, names: first.specs.names }),
);
writeFileSync('build/catalogue/listed.json', JSON.stringify(Object.fromEntries(listed)));
writeFileSync('build/catalogue/specs.json', JSON.stringify({ ...all.specs, ids: models.map(({ id }) => id) }));
writeFileSync('build/catalogue/gpus.json', JSON.stringify({ devices: firstDevices }));
writeFileSync('build/catalogue/devices.json', JSON.stringify({ devices }));
writeFileSync(
  'build/catalogue/facts.json',
  JSON.stringify(Object.fromEntries(facts.devices.map((row) => [row.id, row]))),
);
writeFileSync('build/catalogue/machines.json', JSON.stringify(readJson('build/wasm/catalogue/machines.json').machines));
