// SPDX-License-Identifier: Apache-2.0
// What a person drops, picks, pastes, or asks a host for becomes the model. What was there stays until it has been read, and if it cannot be.
import type { Notice } from '../core/wire';
import { addMessages } from '../i18n';
import type { Outside, Store } from '../store';
import { choiceOf } from './choice';
import { addressOf, filesToRead, isReadable, type HubHost, type HubReference } from './hub';
import { remoteSource } from './remote';
import { readModel, type Progress } from './session';
import { droppedFiles, fileSource, modelFiles, pickedFiles } from './source';
import { theReader } from './start';
import { ReadProblem, type GivenLayers, type ModelRead, type Reader } from './wire';

/** Texts of reading and of what can go wrong with it. */
export const readTexts = addMessages({
  en: () => import('../../messages/read.en.json'),
  'zh-CN': () => import('../../messages/read.zh-CN.json'),
});

type Outcome = { read: ModelRead; warnings: Notice[] } | { error: Notice };
type Work = (reader: Reader, signal: AbortSignal, onProgress: (progress: Progress) => void) => Promise<Outcome>;

async function readerOr(): Promise<Reader> {
  try {
    return await theReader();
  } catch (cause) {
    console.info('Weighbridge: the reader of models did not load.', cause);
    throw new ReadProblem('reader_broken', '');
  }
}

/** `again` reads the same files with layers that a person enters. */
async function read(
  store: Store,
  what: Pick<Outside, 'reference' | 'host' | 'isLinked'>,
  work: Work,
  again?: (layers: GivenLayers) => void,
): Promise<void> {
  const abort = new AbortController();
  const { signal } = abort;
  const refuse = (notice: Notice): void => {
    store.fileNotice.value = notice;
    // Of a file with all its tensors: a config.json of an unknown kind does not even say what the weights are.
    const isWeighed = notice.code === 'unknown_architecture' && notice.where.startsWith('files');
    const askLayers = isWeighed ? again : undefined;
    if (askLayers) store.outside.value = { ...what, state: 'unknown', askLayers };
    else store.outside.value = what.reference ? { ...what, state: 'failed' } : null;
  };
  store.outside.value?.cancel?.();
  const show = (progress?: Progress): void => {
    if (!signal.aborted) store.outside.value = { ...what, state: 'reading', progress, cancel: () => abort.abort() };
  };
  await readTexts;
  store.fileNotice.value = null;
  show();
  try {
    const outcome = await work(await readerOr(), signal, show);
    if (signal.aborted) return;
    if ('error' in outcome) return refuse(outcome.error);
    const { reference, isLinked } = what;
    const choice = choiceOf(outcome.read, reference);
    // A model with a spec is counted as it was read; what was assumed then would not be said again.
    const assumed = choice.spec === undefined ? [] : outcome.warnings;
    store.chooseModel(choice, outcome.read.model.max_context_tokens, assumed, isLinked);
  } catch (cause) {
    if (signal.aborted) return;
    if (!(cause instanceof ReadProblem)) console.info('Weighbridge: reading a model failed.', cause);
    refuse(cause instanceof ReadProblem ? cause.notice : new ReadProblem('reader_broken', '').notice);
  }
}

export const takeText = (store: Store, text: string): Promise<void> =>
  read(store, {}, async (reader) => {
    const reply = await reader.call('read_config', { text });
    return reply.ok ? { read: reply.result, warnings: reply.warnings } : { error: reply.error };
  });

/** Files, and folders as they were dropped or picked. */
export const takeFiles = (
  store: Store,
  dropped: (File | FileSystemDirectoryEntry)[],
  layers?: GivenLayers,
): Promise<void> =>
  read(
    store,
    {},
    async (reader, signal, onProgress) => {
      const sources = modelFiles(pickedFiles(await droppedFiles(dropped))).map(fileSource);
      return readModel(reader, sources, { remote: false, layers, signal, onProgress });
    },
    (given) => void takeFiles(store, dropped, given),
  );

/** Shows what would be asked of whom. Nothing is fetched yet. */
export async function offerRemote(store: Store, reference: HubReference): Promise<void> {
  await readTexts;
  store.outside.value?.cancel?.();
  store.outside.value = { state: 'offer', reference };
  theReader().catch(() => undefined); // it is wanted next, and comes from our own site
}

export const takeRemote = (
  store: Store,
  reference: HubReference,
  host: HubHost,
  isLinked?: true,
  layers?: GivenLayers,
): Promise<void> =>
  read(
    store,
    { reference, host, ...(isLinked && { isLinked }) },
    async (reader, signal, onProgress) => {
      if (!isReadable(reference)) throw new ReadProblem('not_a_model_file', reference.file ?? '');
      const source = (path: string) => remoteSource(host, path, addressOf(host, reference, path));
      const sources = filesToRead(reference).map(source);
      const outcome = await readModel(reader, [...sources], { remote: true, layers, more: source, signal, onProgress });
      const answers = sources.map(({ found }) => found);
      const isNothingThere = 'error' in outcome && answers.includes(false) && !answers.includes(true);
      if (!isNothingThere) return outcome;
      const isOneFile = reference.file !== undefined && sources.length === 1;
      throw new ReadProblem(
        isOneFile ? 'remote_no_file' : 'remote_no_files',
        host,
        reference.repository,
        reference.file,
      );
    },
    (given) => void takeRemote(store, reference, host, isLinked, given),
  );
