// SPDX-License-Identifier: Apache-2.0
// The catalogue lists more models than the core has read: a request for another one brings its spec with it.
import type { Json, ModelChoice, Request } from './wire';

/** build/catalogue/specs.json: `of` is the number of each model's spec. A tensor's first number is that of its name. */
export interface SpecFile {
  ids: string[];
  of: number[];
  specs: { tensors: [number, ...Json[]][] }[];
  names: string[];
}

/** The spec of a model, named by its id or its short name, with the names that it uses, or nothing for a model that is not of the catalogue. */
export function specOf(file: SpecFile, id: string): Json | undefined {
  const exact = file.ids.indexOf(id); // asked at every step of a slider: the names are taken apart only for a short one
  const at = exact >= 0 ? exact : file.ids.findIndex((known) => known.replace(/.*\//, '').toLowerCase() === id);
  const spec = file.specs[file.of[at] ?? -1];
  if (!spec) return undefined;
  const used = [...new Set(spec.tensors.map(([name]) => name))];
  return {
    ...spec,
    names: used.map((name) => file.names[name] ?? ''),
    tensors: spec.tensors.map(([name, ...rest]) => [used.indexOf(name), ...rest]),
  };
}

/** `model` with its spec, if it has none yet. */
export function withSpec(file: SpecFile, model: ModelChoice): ModelChoice {
  const spec = model.id === undefined || model.spec || model.config ? undefined : specOf(file, model.id);
  return spec === undefined ? model : { ...model, spec };
}

/**
 * `params` with the specs of its models: the one that is asked about, one that drafts for it, those that run there already, and relatives that
 * advice may name.
 */
export function withSpecs(
  file: SpecFile,
  params: Partial<Request> & { relatives?: ModelChoice[] },
): Partial<Request> & { draft?: ModelChoice } {
  const { model, engine, relatives, running } = params;
  const id = engine?.options?.['draft_model'];
  return {
    ...params,
    ...(model && { model: withSpec(file, model) }),
    ...(running && { running: running.map((job) => ({ ...job, model: withSpec(file, job.model) })) }),
    ...(relatives && { relatives: relatives.map((relative) => withSpec(file, relative)) }),
    ...(typeof id === 'string' && { draft: withSpec(file, { id }) }),
  };
}
