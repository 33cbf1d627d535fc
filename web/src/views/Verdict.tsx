// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState } from 'preact/hooks';
import { useStore, type Store } from '../store';
import { t } from '../i18n';
import { count } from '../format';
import { Icon } from './Icon';
import { layoutText } from './layout-text';
import { Rich } from './Rich';
import { engineName, facts, machineName, verdictTexts } from './verdict-texts';
import { weightsName } from './weights-name';
import { useDeviceNames } from './use-device-names';

const kIcons = { ok: 'check', warn: 'tight', bad: 'cross', plain: 'unknown' } as const;
const kAnnounceDelay = 600; // ms without a change, so that dragging a slider is one announcement

/** Says the settled verdict to screen readers, once and without marks. */
export function Announcer({ text }: { text: string }) {
  const [said, setSaid] = useState('');
  useEffect(() => {
    const timer = setTimeout(() => setSaid(text.replaceAll(/<\/?b>|`/g, '')), kAnnounceDelay);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <p class="visually-hidden" role="status">
      {said}
    </p>
  );
}

/** The nearest working setting, one tap away: its words, and what the tap does. */
function nearestOf(store: Store, deviceNames: Map<string, string>): [words: string, take: () => void] | undefined {
  const answer = store.answer.value;
  const { verdict, request } = answer;
  const nearest: NonNullable<typeof verdict.nearest> = verdict.nearest ?? {};
  const { gpu_layers: layers, weights, kv_cache: cache, parallel, context_tokens: context } = nearest;
  const { hardware, sequences, engine } = nearest;
  const use = (name: string): string => t('nearest.engine', { engine: name });
  if (hardware) {
    const machine = machineName({ ...answer, request: { ...request, hardware } }, deviceNames);
    return [use(machine), () => store.setHardware(hardware)];
  }
  if (sequences) return [use(t('field.requests', { count: sequences })), () => store.setSequences(sequences)];
  if (engine)
    return [
      use(`${engineName(request.engine.name)} ${engine.version}`),
      () => store.setEngine({ ...request.engine, ...engine }),
    ];
  const tensor = parallel?.tensor;
  const [first] = request.hardware;
  if (parallel?.pipeline !== undefined)
    return [t('nearest.layout', { layout: layoutText(parallel) }), () => store.setParallel(parallel)];
  if (context !== undefined) return [t('nearest.context', { count: count(context) }), () => store.setContext(context)];
  if (tensor !== undefined) {
    const devices = request.hardware.reduce((sum, row) => sum + row.count, 0);
    if (tensor === devices) return [t('nearest.tensor', { tensor }), () => store.setParallel(undefined)];
    // Another split needs another number of GPUs: the rows keep their kind.
    if (first)
      return [t('nearest.devices', { count: count(tensor) }), () => store.setHardware([{ ...first, count: tensor }])];
  }
  if (layers !== undefined) return [t('nearest.layers', { layers }), () => store.setOffload({ gpu_layers: layers })];
  if (weights)
    return [t('nearest.format', { format: weightsName(weights.format) }), () => store.setFormat(weights.format)];
  if (cache) return [t('nearest.cache', { type: cache.k }), () => store.setCacheType(cache.k)];
  const [option, value] = Object.entries(nearest)[0] ?? [];
  if (option !== undefined && typeof value === 'number')
    return [t('nearest.utilization', { name: option, share: value }), () => store.setOption(option, value)];
  if (verdict.reason?.values.key !== 'engine.name') return undefined;
  const name = verdict.reason.values.expected;
  return [use(engineName(name)), () => store.setEngine({ name })];
}

function Nearest() {
  const [words, take] = nearestOf(useStore(), useDeviceNames()) ?? [];
  return words ? (
    <button class="button small" type="button" onClick={take}>
      {words}
    </button>
  ) : null;
}

/** `isFixed`: nothing can be changed here, and nothing is announced: in a frame, on someone else's page. */
export function Verdict({ isFixed = false }: { isFixed?: boolean }) {
  const { answer, unit, isBehind } = useStore();
  const deviceNames = useDeviceNames();
  const { tone, headline, sentence } = verdictTexts(answer.value, unit.value, deviceNames);
  const known = facts(answer.value, unit.value);
  return (
    <section
      class={`verdict ${tone}`}
      data-verdict={answer.value.verdict.class}
      data-stale={isBehind.value || undefined}
      aria-labelledby="verdict"
    >
      <div class="verdict-words">
        <span class="verdict-icon">
          <Icon name={kIcons[tone]} />
        </span>
        <h1 id="verdict">{headline}</h1>
        <p>
          <Rich text={sentence} />
        </p>
        {!isFixed && <Nearest />}
      </div>
      {known.length > 0 && (
        <dl class="facts">
          {known.map((fact) => (
            <div key={fact.caption}>
              <dt>{fact.caption}</dt>
              <dd>{fact.value}</dd>
            </div>
          ))}
        </dl>
      )}
      {!isFixed && <Announcer text={`${headline}. ${sentence}`} />}
    </section>
  );
}
