// SPDX-License-Identifier: Apache-2.0
import type { HardwareRow } from '../core/wire';
import type { Store } from '../store';
import { t } from '../i18n';
import { count } from '../format';
import { layoutText } from './layout-text';
import { engineName, machineName } from './verdict-texts';
import { weightsName } from './weights-name';

/** The nearest setting that works: its words, and what a tap on it does. */
export function nearestOf(
  store: Store,
  deviceNames: Map<string, string>,
): [words: string, take: () => void] | undefined {
  const answer = store.answer.value;
  const { verdict, request } = answer;
  const nearest: NonNullable<typeof verdict.nearest> = verdict.nearest ?? {};
  const { gpu_layers: layers, weights, kv_cache: cache, parallel, context_tokens: context } = nearest;
  const { hardware, sequences, engine } = nearest;
  const use = (name: string): string => t('nearest.engine', { engine: name });
  const useDevices = (rows: HardwareRow[]): [string, () => void] => [
    use(machineName({ ...answer, request: { ...request, hardware: rows } }, deviceNames)),
    () => store.setHardware(rows),
  ];
  if (hardware) return useDevices(hardware);
  if (sequences) return [use(t('field.requests', { count: sequences })), () => store.setSequences(sequences)];
  if (engine)
    return [
      use(`${engineName(request.engine.name)} ${engine.version}`),
      () => store.setEngine({ ...request.engine, ...engine }),
    ];
  const tensor = parallel?.tensor;
  const [first] = request.hardware;
  if (parallel?.pipeline !== undefined) {
    const isOnFewer = (request.parallel?.nodes ?? 1) > 1 && (parallel.nodes ?? 1) === 1;
    return [use(layoutText(parallel) + (isOnFewer ? ' × nodes=1' : '')), () => store.setParallel(parallel)];
  }
  if (context !== undefined) return [t('nearest.context', { count: count(context) }), () => store.setContext(context)];
  if (tensor !== undefined) {
    const devices = request.hardware.reduce((sum, row) => sum + row.count, 0);
    if (tensor === devices) return [t('nearest.tensor', { tensor }), () => store.setParallel(undefined)];
    // Another split needs another number of GPUs: the rows keep their kind.
    if (first) return useDevices([{ ...first, count: tensor }]);
  }
  if (layers !== undefined) return [t('nearest.layers', { layers }), () => store.setOffload({ gpu_layers: layers })];
  if (weights)
    return [t('nearest.format', { format: weightsName(weights.format) }), () => store.setFormat(weights.format)];
  if (cache)
    return [
      t('nearest.cache', { type: cache.k }),
      () => {
        // Options that say it win over the request's.
        for (const name of ['kv_cache_dtype', 'kv_cache_type', 'type_k', 'type_v']) store.setOption(name, undefined);
        store.setCacheType(cache.k);
      },
    ];
  const [option, value] = Object.entries(nearest)[0] ?? [];
  if (option !== undefined && (typeof value === 'number' || typeof value === 'string' || value === false))
    return [
      t('nearest.utilization', { name: option, share: value === false ? 'false' : value }),
      () => store.setOption(option, value),
    ];
  if (verdict.reason?.values.key !== 'engine.name') return undefined;
  const name = verdict.reason.values.expected;
  return [use(engineName(name)), () => store.setEngine({ name })];
}
