// SPDX-License-Identifier: Apache-2.0
// What the table of "Compare" says: a row for each setting and each figure, with the difference to the first setup.
import type { Estimate, HardwareRow, Request } from '../core/wire';
import { count, kMinus, largeUnits, memory, tokensShort, unitName, type Unit } from '../format';
import { t, type MessageId } from '../i18n';
import { layoutText } from '../views/layout-text';
import { fullestOf, kParts, sum, termsOf } from '../views/parts';
import { engineName, machineName, modelName } from '../views/verdict-texts';
import { weightsName } from '../views/weights-name';
import type { Side } from './sides';

export interface Cell {
  text: string;
  /** To the first setup: "+17.2 GiB", "=", or nothing where there is nothing to subtract. */
  change: string;
}

export interface Row {
  label: string;
  cells: Cell[];
  /** Not the same everywhere. */
  differs: boolean;
}

export const kNone = '–';
const kSame = '=';

const signed = (difference: number, text: string): string => (difference > 0 ? `+${text}` : text);

/** A row of texts: what was chosen. */
export function textRow(label: string, texts: string[]): Row {
  return { label, cells: texts.map((text) => ({ text, change: '' })), differs: new Set(texts).size > 1 };
}

/** A row of figures; null where a setup has none. */
export function figureRow(label: string, values: (number | null)[], shown: (value: number) => string): Row {
  const [first] = values;
  const cells = values.map((value, index) => {
    if (value === null) return { text: kNone, change: '' };
    const isCompared = index > 0 && first !== null && first !== undefined;
    const difference = isCompared ? value - first : 0;
    return {
      text: shown(value),
      change: !isCompared ? '' : difference === 0 ? kSame : signed(difference, shown(difference)),
    };
  });
  return { label, cells, differs: new Set(values).size > 1 };
}

const cacheText = ({ kv_cache: { k, v } }: Request): string => {
  const name = (type: string): string => (type === 'auto' ? t('compare.automatic') : type);
  return k === v ? name(k) : `${name(k)} / ${name(v)}`;
};

/** Expert settings as the engine calls them. */
const optionsText = ({ engine, offload, workload }: Request): string =>
  [
    ...Object.entries(engine.options ?? {}),
    ...Object.entries(offload ?? {}),
    ...Object.entries(workload).filter(([name]) => name !== 'context_tokens' && name !== 'sequences'),
  ]
    .map(([name, value]) => `${name} = ${String(value)}`)
    .join(', ');

/** Models that run there already, each with what it takes its memory by. */
const runningText = ({ running = [] }: Request, { devices }: Estimate): string => {
  const names = new Map(devices.flatMap((device) => device.running ?? []).map(({ id, name }) => [id, name]));
  return running
    .map(({ model: { id = '', name }, weights, engine, workload }) => {
      const tokens = tokensShort(workload.context_tokens);
      const facts = [weightsName(weights.format), engineName(engine.name), `${count(workload.sequences)} × ${tokens}`];
      return `${name ?? names.get(id) ?? id} (${facts.join(', ')})`;
    })
    .join(', ');
};

/** What each setup asks for. Rows that say nothing in any of them are left out. */
export function settingRows(sides: Side[], unit: Unit, deviceNames: Map<string, string>): Row[] {
  const of = (id: MessageId, text: (request: Request, answer: Estimate) => string): Row =>
    textRow(
      t(id),
      // A setup without an answer still has its settings.
      sides.map(({ request, answer }) => text(request, { ...answer, request })),
    );
  const machineOf = (hardware: HardwareRow[], answer: Estimate): string =>
    machineName({ ...answer, request: { ...answer.request, hardware } }, deviceNames);
  const all = [
    of('field.model', (request, answer) => nameOf(request, answer)),
    of('field.weights', ({ weights }, { weights_formats: formats }) =>
      weightsName(formats.find(({ format }) => format === weights.format)?.resolved ?? weights.format),
    ),
    of('field.context', ({ workload }) => tokensShort(workload.context_tokens)),
    of('field.sequences', ({ workload }) => count(workload.sequences)),
    of('compare.hardware', (_, answer) => machineName(answer, deviceNames)),
    of('compare.raised', ({ hardware }, answer) => {
      const raised = hardware.filter((row) => row.raised_limit);
      return raised.length > 0 ? machineOf(raised, answer) : '';
    }),
    of('compare.used', ({ hardware }, answer) =>
      hardware
        .filter((row) => row.used_bytes)
        .map((row) => {
          const used = memory(row.used_bytes ?? 0, unit);
          return hardware.length === 1 ? used : `${machineOf([row], answer)}: ${used}`;
        })
        .join(', '),
    ),
    of('compare.running', runningText),
    of('compare.hostMemory', ({ host }) => (host?.memory_bytes ? memory(host.memory_bytes, unit) : '')),
    of('compare.hostBandwidth', ({ host }) => (host?.bandwidth_gb_s ? `${host.bandwidth_gb_s} GB/s` : '')),
    of('field.engine', ({ engine }) => [engineName(engine.name), engine.version].filter(Boolean).join(' ')),
    of('compare.cacheType', cacheText),
    of('compare.layout', ({ parallel }) => (parallel ? layoutText(parallel) : '')),
    of('compare.options', optionsText),
  ];
  return all
    .filter(({ cells }) => cells.some(({ text }) => text !== ''))
    .map((row) => ({ ...row, cells: row.cells.map((cell) => ({ ...cell, text: cell.text || kNone })) }));
}

/** By the answer, or, where the settings have none, by what was asked. */
function nameOf({ model }: Request, answer: Estimate): string {
  const isCounted = model.id === undefined || model.id === answer.model.id;
  return model.name ?? (isCounted ? modelName(answer) : (model.id ?? ''));
}

/** What each setup takes and has. */
export function figureRows(sides: Side[], unit: Unit): Row[] {
  const answers = sides.map(({ answer, problem }) => (problem ? null : answer));
  const bytesOf = (bytes: number): string => memory(bytes, unit);
  const of = (label: string, value: (answer: Estimate) => number | null | undefined, shown = bytesOf): Row =>
    figureRow(
      label,
      answers.map((answer) => (answer && value(answer)) ?? null),
      shown,
    );
  const counted = (number: number): string => (number < 0 ? kMinus + count(-number) : count(number));
  const range = textRow(
    t('compare.range', { unit: unitName(unit) }),
    answers.map((answer) => {
      const { low_bytes: low = null, high_bytes: high = null } = answer?.verdict ?? {};
      return low === null || high === null ? kNone : `${largeUnits(low, unit)}–${largeUnits(high, unit)}`;
    }),
  );
  return [
    ...kParts.map((part) =>
      of(t(`part.${part}`), (answer) => {
        const device = fullestOf(answer);
        return device && sum(termsOf(device, part));
      }),
    ),
    of(t('compare.total'), (answer) => fullestOf(answer)?.total_bytes),
    range,
    of(t('compare.limit'), ({ verdict }) => verdict.limit_bytes),
    of(t('compare.free'), ({ verdict }) => verdict.free_bytes),
    of(t('compare.everywhere'), ({ devices }) => devices.reduce((bytes, device) => bytes + device.total_bytes, 0)),
    ...(answers.some((answer) => answer && answer.host.total_bytes > 0)
      ? [of(t('bar.host'), ({ host }) => host.total_bytes)]
      : []),
    of(t('compare.longest'), (answer) => answer.safe_context_tokens, counted),
    of(t('compare.most'), (answer) => answer.safe_sequences, counted),
  ];
}
