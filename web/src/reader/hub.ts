// SPDX-License-Identifier: Apache-2.0
// A model of Hugging Face as people write it down: `org/name`, or an address of the hub, its mirror or its short name.
import { kHubHosts, type HubHost } from './hosts';
import { ReadProblem } from './wire';

export { kHubHosts, type HubHost };

export interface HubReference {
  repository: string;
  revision: string;
  /** One file of the repository, such as a GGUF; without it, the checkpoint as a whole. */
  file?: string;
  /** Where the address pointed; an id alone names no host. */
  host?: HubHost;
}

/** huggingface_hub `validate_repo_id`: letters, digits, `-_.`, no `--` or `..`, at most 96 in all; one without an owner is an old one. */
const kName = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?$/;
const kMostLength = 96;
const isRepository = (owner: string | undefined, name: string | undefined): boolean =>
  owner !== undefined &&
  name !== undefined &&
  kName.test(owner) &&
  kName.test(name) &&
  !/--|\.\./.test(owner + name) &&
  owner.length + name.length < kMostLength;

/** Pages of the hub that are no owners of models. */
const kPlaces = new Set([
  'api',
  'blog',
  'chat',
  'collections',
  'datasets',
  'docs',
  'learn',
  'models',
  'papers',
  'posts',
  'spaces',
  'tasks',
]);
const kAddress = /^(?:https?:\/\/)?(?:www\.)?(huggingface\.co|hf\.co|hf-mirror\.com)\/([^?#]*)/i;
/** A branch may hold slashes only where the hub makes it: refs/pr/1, refs/convert/parquet. */
const revisionLength = (path: string[]): number => (path[0] === 'refs' ? 3 : 1);

/** No way up: an address is asked for as it reads. */
const isPath = (pieces: string[]): boolean => pieces.every((piece) => piece !== '' && piece !== '.' && piece !== '..');

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function ofAddress(host: HubHost, path: string): HubReference | undefined {
  const [owner, named, view, ...rest] = path.split('/').filter(Boolean).map(decoded);
  const name = named?.replace(/:[\w.-]*$/, ''); // hf.co/org/name:Q4_K_M, as Ollama writes it
  if (!isRepository(owner, name) || kPlaces.has(owner ?? '')) return undefined;
  const reference = { repository: `${owner}/${name}`, revision: 'main', host };
  if (!view || !['tree', 'blob', 'resolve', 'raw'].includes(view) || rest.length === 0) return reference;
  const pieces = rest.flatMap((piece) => piece.split('/')); // refs%2Fpr%2F1 is one piece of an address
  const length = revisionLength(pieces);
  if (!isPath(pieces)) return undefined;
  const revision = pieces.slice(0, length).join('/');
  const file = pieces.slice(length).join('/');
  return { ...reference, revision, ...(view === 'tree' || !file ? {} : { file }) };
}

/** What the text refers to, or nothing: then it is a name to search for. */
export function hubReference(text: string): HubReference | undefined {
  const trimmed = text.trim();
  const address = kAddress.exec(trimmed);
  if (address)
    return ofAddress(
      address[1]?.toLowerCase() === 'hf-mirror.com' ? 'hf-mirror.com' : 'huggingface.co',
      address[2] ?? '',
    );
  const [owner, name, ...more] = trimmed.split('/');
  return more.length === 0 && isRepository(owner, name) ? { repository: trimmed, revision: 'main' } : undefined;
}

const kShard = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/;
const kMostShards = 999;

/** The files to ask for, by their paths in the repository: those of a checkpoint, or a GGUF with all its parts. */
export function filesToRead({ file }: HubReference): string[] {
  if (!file || !file.toLowerCase().endsWith('.gguf')) {
    const folder = file?.includes('/') ? file.slice(0, file.lastIndexOf('/') + 1) : '';
    return ['config.json', 'model.safetensors.index.json', 'model.safetensors'].map((name) => folder + name);
  }
  const [, stem, , total] = kShard.exec(file) ?? [];
  if (stem === undefined || Number(total) < 1 || Number(total) > kMostShards) return [file];
  return Array.from(
    { length: Number(total) },
    (_, index) => `${stem}-${String(index + 1).padStart(5, '0')}-of-${total}.gguf`,
  );
}

/** Files of other kinds are named, not guessed at. */
export const isReadable = ({ file }: HubReference): boolean => !file || /\.(gguf|safetensors|json)$/i.test(file);

/** Where the file lies. Throws for a name, as an index may hold it, that would lead out of the repository. */
export function addressOf(host: HubHost, { repository, revision }: HubReference, file: string): string {
  const pieces = file.split('/');
  if (!isPath(pieces)) throw new ReadProblem('not_a_model_file', file);
  return `https://${host}/${[...repository.split('/'), 'resolve', revision, ...pieces].map(encodeURIComponent).join('/')}`;
}

/** What the model is called: the repository, or the file of it. */
export const nameOf = ({ repository, file }: HubReference): string =>
  file?.toLowerCase().endsWith('.gguf') ? file.slice(file.lastIndexOf('/') + 1) : repository;

/** The path of its page, as links carry it and hubReference() reads it behind the name of a host. */
export function pathOf({ repository, revision, file }: HubReference): string {
  if (!file && revision === 'main') return repository;
  const rest = [revision, ...(file?.split('/') ?? [])].map(encodeURIComponent);
  return [repository, file ? 'blob' : 'tree', ...rest].join('/');
}

export const referenceOf = (path: string): HubReference | undefined => {
  const reference = hubReference(`${kHubHosts[0]}/${path}`);
  if (!reference) return undefined;
  const { host: _anyWillDo, ...rest } = reference;
  return rest;
};
