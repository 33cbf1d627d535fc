// SPDX-License-Identifier: Apache-2.0
// Where the bytes of a model come from: files of this device, or of a host (remote.ts). Only the parts that are asked for are read.
import { ReadProblem } from './wire';

export interface Part {
  bytes: Uint8Array;
  /** Of the whole file; undefined where a host does not say. */
  sizeBytes: number | undefined;
}

export interface Source {
  name: string;
  /** Undefined until the host has said. */
  sizeBytes: number | undefined;
  /** The bytes from `offset`, fewer at the end of the file; nothing if there is no such file. Throws a ReadProblem. */
  read(offset: number, bytes: number, signal: AbortSignal): Promise<Part | undefined>;
}

export const fileSource = (file: File): Source => ({
  name: file.name,
  sizeBytes: file.size,
  async read(offset, bytes) {
    try {
      const part = await file.slice(offset, offset + bytes).arrayBuffer();
      return { bytes: new Uint8Array(part), sizeBytes: file.size };
    } catch {
      throw new ReadProblem('file_unreadable', file.name);
    }
  },
});

/** A folder of a model also holds what no one needs here: tokenizers, licences, pictures. */
const isOfAModel = (name: string): boolean => /(^|[/\\])config\.json$|\.index\.json$|\.(gguf|safetensors)$/i.test(name);

const kMostListed = 10_000; // files; a folder with more is not a model's
const kMostLevels = 4;

/** What is read of the files that were given. Throws a ReadProblem where none is a model's. */
export function modelFiles(files: File[]): File[] {
  const chosen = files.filter(({ name }) => isOfAModel(name));
  if (chosen.length > 0) return chosen;
  const [only] = files;
  if (files.length === 1 && only?.name.toLowerCase().endsWith('.json')) return files; // a config.json by another name
  throw new ReadProblem(files.length > 1 ? 'no_model_file' : 'not_a_model_file', only?.name ?? '');
}

const fileOf = (entry: FileSystemFileEntry): Promise<File> =>
  new Promise((resolve, reject) => entry.file(resolve, reject));

async function entriesOf(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const entries: FileSystemEntry[] = [];
  for (;;) {
    // A browser hands them over in portions, the last one empty.
    const portion = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (portion.length === 0 || entries.length > kMostListed) return entries;
    entries.push(...portion);
  }
}

const hasModel = (files: File[]): boolean => files.some(({ name }) => isOfAModel(name));

/** The files of the first level that has a model's; copies in folders further down (original/, onnx/) are other formats of it. */
async function filesIn(folder: FileSystemDirectoryEntry): Promise<File[]> {
  let level = [folder];
  let first: File[] = [];
  for (let depth = 0; level.length > 0 && depth < kMostLevels; depth += 1) {
    const entries = (await Promise.all(level.map(entriesOf))).flat();
    const files = await Promise.all(
      entries.filter(({ isFile }) => isFile).map((entry) => fileOf(entry as FileSystemFileEntry)),
    );
    if (hasModel(files)) return files;
    if (first.length === 0) first = files;
    level = entries.filter(({ isDirectory }) => isDirectory) as FileSystemDirectoryEntry[];
  }
  return first;
}

/** The same of a folder that was picked, which comes as the list of all files below it. Files that were picked one by one are on one level. */
export function pickedFiles(files: File[]): File[] {
  const levels: File[][] = [];
  for (const file of files) (levels[file.webkitRelativePath.split('/').length - 1] ??= []).push(file);
  return levels.find((level) => level && hasModel(level)) ?? files;
}

/** Files and folders as they were dropped. */
export async function droppedFiles(dropped: (File | FileSystemDirectoryEntry)[]): Promise<File[]> {
  try {
    const lists = await Promise.all(dropped.map((item) => (item instanceof File ? [item] : filesIn(item))));
    return lists.flat();
  } catch {
    throw new ReadProblem('file_unreadable', dropped.map(({ name }) => name).join(', '));
  }
}
