// SPDX-License-Identifier: Apache-2.0
// Until the reader of files is there, the counting core reads one file, a config.json, through the same functions.
import { kAbsent, type ReaderModule } from './wire';

interface CallModule {
  call(request: string): string;
}

const kMostConfigBytes = 4 << 20; // the core's own limit for a text

export function configOnly(module: CallModule): ReaderModule {
  let name = '';
  const refusal = (code: string, key: string): string =>
    JSON.stringify({
      ok: false,
      error: { code, where: 'file', message: key, values: { key, value: '', expected: 'config.json' } },
      warnings: [],
    });
  const open = (files: { name: string; size_bytes?: number }[]): string => {
    const config = files.find((file) => file.name.toLowerCase().endsWith('.json'));
    name = config?.name ?? '';
    if (!config) return refusal('not_a_model_file', files[0]?.name ?? '');
    const bytes = Math.min(config.size_bytes ?? kMostConfigBytes, kMostConfigBytes);
    const result = { handle: 1, needs: [{ file: name, offset: 0, bytes }], progress: { files: 1, done: 0 } };
    return JSON.stringify({ ok: true, result, warnings: [] });
  };
  return {
    call(request) {
      const { method, params } = JSON.parse(request);
      if (method === 'read.open') return open(params.files);
      return method === 'read.close' ? '{"ok":true,"result":{},"warnings":[]}' : module.call(request);
    },
    push(_handle, file, sizeBytes, _offset, bytes) {
      if (sizeBytes === kAbsent) return refusal('not_a_model_file', file);
      if (sizeBytes > kMostConfigBytes) return refusal('config_too_large', file);
      const text = new TextDecoder().decode(bytes);
      const reply = JSON.parse(module.call(JSON.stringify({ method: 'read_config', params: { text } })));
      return JSON.stringify(reply.ok ? { ...reply, result: { ...reply.result, done: true } } : reply);
    },
  };
}
