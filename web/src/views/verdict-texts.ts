// SPDX-License-Identifier: Apache-2.0
// The verdict in words: one headline, one sentence with need, limit and difference, and three facts.
import type { Estimate } from '../core/wire';
import { count, largeUnits, memory, parameters, tokensShort, unitName, type Unit } from '../format';
import { sentences, t, tCode, type Values } from '../i18n';
import { sayNotice } from '../notices';
import { kTones, type Tone } from '../verdict/tone';
import { layoutText } from './layout-text';

export interface VerdictTexts {
  tone: Tone;
  headline: string;
  /** May hold <b>…</b>. */
  sentence: string;
}

export interface Fact {
  value: string;
  caption: string;
}

/** A model that came as a file has no name: its architecture and size stand for it. */
export const modelName = ({ model }: Estimate): string =>
  model.name || model.id || `${model.architecture} ${parameters(model.parameters.text)}`;
export const engineName = (engine: string): string => tCode('engine', engine);

/** "8 × H200", "2 × RTX 3090 + RTX 4090". The settings count, so that a refusal has a name too. */
export function machineName(answer: Estimate, deviceNames: Map<string, string>): string {
  const shortNames = new Map(answer.devices.map(({ device, device_name }) => [device, device_name]));
  const nameOf = (device = ''): string =>
    shortNames.get(device) ?? deviceNames.get(device) ?? (device || t('device.own'));
  /** One that is known by its memory: all such have the same id. */
  const ownName = (bytes: number): string =>
    answer.devices.find(({ runtime_bytes }) => runtime_bytes === bytes)?.device_name ?? `${memory(bytes, 'gib')} GPU`;
  const rows = answer.request.hardware.map(({ count: n, device, memory_bytes: own }) => {
    const name = own === undefined ? nameOf(device) : ownName(own);
    return n === 1 ? name : `${n} × ${name}`;
  });
  return rows.length ? rows.join(' + ') : t('device.none');
}

const none: Map<string, string> = new Map();

/** System memory decides: without a GPU everything lies there, and with one there may be too little of it, or nobody knows how much. */
const hostDecides = ({ devices, verdict }: Estimate): boolean =>
  devices.length === 0 || verdict.limit === 'host' || verdict.class === 'unknown';

function hostSentence({ host }: Estimate, unit: Unit): string {
  const need = memory(host.total_bytes, unit);
  if (!host.capacity_bytes) return t('verdict.host.unknown', { need });
  const free = host.capacity_bytes - host.total_bytes;
  return t(free >= 0 ? 'verdict.host.fits' : 'verdict.host.no', {
    need,
    capacity: memory(host.capacity_bytes, unit),
    free: memory(Math.abs(free), unit),
  });
}

export function verdictTexts(answer: Estimate, unit: Unit, deviceNames = none): VerdictTexts {
  const { verdict } = answer;
  const names = {
    model: modelName(answer),
    machine: machineName(answer, deviceNames),
    engine: engineName(answer.engine.name),
  };
  const headline = t(`verdict.${verdict.class}.headline`, names);
  const tone = kTones[verdict.class];
  if (verdict.reason) return { tone, headline, sentence: sayNotice(verdict.reason) };
  if (hostDecides(answer) && answer.host.total_bytes > 0)
    return { tone, headline, sentence: hostSentence(answer, unit) };
  const device = verdict.device === null ? undefined : answer.devices[verdict.device];
  if (!device || verdict.need_bytes === null || verdict.limit_bytes === null)
    return { tone, headline, sentence: t('verdict.unknown.sentence', names) };
  const figures = {
    ...names,
    devices: answer.devices.length,
    need: memory(verdict.need_bytes, unit),
    low: largeUnits(verdict.low_bytes ?? 0, unit),
    high: memory(verdict.high_bytes ?? 0, unit),
    limit: largeUnits(verdict.limit_bytes, unit),
    card: memory(device.capacity_bytes, unit),
    free: memory(verdict.free_bytes ?? 0, unit),
    short: memory(verdict.shortfall_bytes, unit),
    layers: verdict.nearest?.gpu_layers ?? answer.engine.gpu_layers ?? 0,
    all: answer.engine.all_gpu_layers ?? 0,
    host: memory(verdict.nearest?.host_bytes ?? answer.host.total_bytes, unit),
  };
  if (verdict.class === 'offload') {
    const experts = answer.engine.host_expert_layers ?? 0;
    const sentence = verdict.nearest
      ? t('verdict.offload.sentence', figures)
      : sentences(t('verdict.offload.chosen', figures), experts ? t('verdict.offload.experts', { experts }) : '');
    return { tone, headline, sentence };
  }
  const devicesFit = (verdict.high_bytes ?? 0) <= verdict.limit_bytes;
  if (verdict.class === 'tight' && devicesFit && answer.host.class === 'tight')
    return { tone, headline, sentence: hostSentence(answer, unit) };
  if (verdict.class === 'tight' && devicesFit) return { tone, headline, sentence: t('verdict.tight.shared', figures) };
  if (verdict.class === 'tight') {
    const outcome =
      (verdict.free_bytes ?? 0) >= 0 ? t('verdict.tight.free', figures) : t('verdict.tight.short', figures);
    return {
      tone,
      headline,
      sentence: sentences(
        t(verdict.limit === 'card' ? 'verdict.tight.card' : 'verdict.tight.engine', figures),
        outcome,
      ),
    };
  }
  const kind = verdict.class === 'no' ? 'no' : 'fits';
  const hasOwnLimit = device.limit_bytes < device.capacity_bytes;
  const bound = verdict.limit === 'card' ? 'card' : hasOwnLimit ? 'engine' : 'whole';
  const sentence = t(`verdict.${kind}.${bound}`, figures);
  const weights = device.terms.find((term) => term.id === 'weights')?.bytes ?? 0;
  const hopeless = kind === 'no' && verdict.limit !== 'card' && weights > device.limit_bytes;
  return { tone, headline, sentence: sentences(sentence, hopeless ? t('verdict.no.weightsAlone') : '') };
}

/** How sure the total is, and on what that rests. */
function certainty(answer: Estimate, unit: Unit): Fact[] {
  const { low_bytes: low, high_bytes: high, measured } = answer.verdict;
  if (low === null || high === null) return [];
  const value = low === high ? memory(low, unit) : `${largeUnits(low, unit)}–${largeUnits(high, unit)}`;
  const basis =
    answer.engine.name === 'article' ? 'fact.rangeArticle' : measured ? 'fact.rangeMeasured' : 'fact.rangeModelled';
  return [{ value, caption: t(basis, { unit: unitName(unit) }) }];
}

/** The most that surely fits comes first: who asks for what is only likely gets a tight answer. */
function most(best: number | null, safe: number | null, axis: 'Context' | 'Sequences', values: Values): Fact[] {
  if (best === null) return [];
  const value = count(safe || best);
  if (safe && safe !== best) return [{ value, caption: t(`fact.safe${axis}`, { ...values, best: count(best) }) }];
  const what = t(`fact.max${axis}`, values);
  return [{ value, caption: safe === best ? what : t('fact.unsafe', { what }) }];
}

export function facts(answer: Estimate, unit: Unit): Fact[] {
  const { workload } = answer.request;
  if (answer.verdict.class === 'impossible' || answer.verdict.class === 'unknown') return [];
  const range = certainty(answer, unit);
  const { nearest } = answer.verdict;
  if (answer.verdict.class === 'no' && hostDecides(answer)) return range;
  if (nearest?.gpu_layers !== undefined)
    return [
      {
        value: t('fact.layersOf', { layers: nearest.gpu_layers, all: answer.engine.all_gpu_layers ?? 0 }),
        caption: t('fact.layers'),
      },
      { value: memory(nearest.host_bytes ?? 0, unit), caption: t('fact.inHost') },
      ...range,
    ];
  if (answer.verdict.class === 'no') {
    const device = answer.devices[0]?.device_name ?? '';
    const { fewest_devices: fewest, fewest_stages: pipeline } = answer;
    const split = fewest && pipeline ? ` (${layoutText({ tensor: fewest / pipeline, pipeline })})` : '';
    return [
      ...(fewest === null ? [] : [{ value: count(fewest), caption: t('fact.fewest', { device: device + split }) }]),
      { value: memory(answer.verdict.shortfall_bytes, unit), caption: t('fact.short') },
      ...range,
    ];
  }
  const { max_context_tokens, safe_context_tokens, max_sequences, safe_sequences } = answer;
  return [
    ...most(max_context_tokens, safe_context_tokens, 'Context', { sequences: workload.sequences }),
    ...most(max_sequences, safe_sequences, 'Sequences', { context: tokensShort(workload.context_tokens) }),
    ...range,
  ];
}
