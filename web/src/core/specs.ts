// SPDX-License-Identifier: Apache-2.0
// The catalogue lists more models than the core has read: what it has not is given to it once.
import type { Asked, SpecGiver } from './core';
import type { Json } from './wire';

/** build/catalogue/specs.json: `of` is the number of each model's spec. A tensor's first number is that of its name. */
export interface SpecFile {
  ids: string[];
  of: number[];
  specs: { tensors: [number, ...Json[]][] }[];
  names: string[];
}

/** The id of a model that is named by it or by its short name; nothing for one that is not of the catalogue. */
const fullId = ({ ids }: SpecFile, name: string): string | undefined =>
  ids.find((id) => id === name) ?? ids.find((id) => id.replace(/.*\//, '').toLowerCase() === name);

/** The spec of a model, with the names that it uses, or nothing for a model that is not of the catalogue. */
export function specOf(file: SpecFile, id: string): Json | undefined {
  const spec = file.specs[file.of[file.ids.indexOf(id)] ?? -1];
  if (!spec) return undefined;
  const used = [...new Set(spec.tensors.map(([name]) => name))];
  return {
    ...spec,
    names: used.map((name) => file.names[name] ?? ''),
    tensors: spec.tensors.map(([name, ...rest]) => [used.indexOf(name), ...rest]),
  };
}

/** The models that a request names and does not bring: its own, one that drafts for it, those that run there already, and those that advice may name. */
function modelsIn({ model, engine, running, relatives }: Asked): string[] {
  const choices = [model, ...(running ?? []).map((job) => job.model), ...(relatives ?? [])];
  const ids = choices.map((choice) => (choice?.spec || choice?.config ? undefined : choice?.id));
  return [...ids, engine?.options?.['draft_model']].filter((id) => typeof id === 'string');
}

/** Gives a freshly loaded catalogue the specs of what is asked about, each once: reading one takes longer than counting its model. */
export function specGiver(file: SpecFile): SpecGiver {
  const given = new Set<string>();
  return (module, request) => {
    for (const name of modelsIn(request)) {
      const id = fullId(file, name);
      if (id === undefined || given.has(id)) continue;
      given.add(id);
      module.call(JSON.stringify({ method: 'catalogue.spec', params: { id, spec: specOf(file, id) } }));
    }
  };
}
