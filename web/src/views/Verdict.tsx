// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState } from 'preact/hooks';
import { useStore } from '../store';
import { t } from '../i18n';
import { count } from '../format';
import { Icon } from './Icon';
import { Rich } from './Rich';
import { facts, verdictTexts } from './verdict-texts';
import { weightsName } from './weights-name';
import { useDeviceNames } from './use-device-names';

const kIcons = { ok: 'check', warn: 'tight', bad: 'cross', plain: 'unknown' } as const;
const kAnnounceDelay = 600; // ms without a change, so that dragging a slider is one announcement

/** Says the settled verdict to screen readers, once. */
function Announcer({ text }: { text: string }) {
  const [said, setSaid] = useState('');
  useEffect(() => {
    const timer = setTimeout(() => setSaid(text), kAnnounceDelay);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <p class="visually-hidden" role="status">
      {said}
    </p>
  );
}

/** The engine's nearest working setting, one tap away. */
function Nearest() {
  const { answer, setParallel, setOption, setGpuLayers, setFormat } = useStore();
  const { nearest } = answer.value.verdict;
  const layers = nearest?.gpu_layers;
  const format = nearest?.weights?.format;
  const tensor = nearest?.parallel?.tensor;
  const share = nearest?.gpu_memory_utilization;
  if (tensor !== undefined) {
    const devices = answer.value.request.hardware.reduce((sum, row) => sum + row.count, 0);
    return tensor === devices ? (
      <button class="button small" type="button" onClick={() => setParallel(undefined)}>
        {t('nearest.tensor', { tensor })}
      </button>
    ) : (
      <NearestCount tensor={tensor} />
    );
  }
  if (share !== undefined)
    return (
      <button class="button small" type="button" onClick={() => setOption('gpu_memory_utilization', share)}>
        {t('nearest.utilization', { share })}
      </button>
    );
  if (layers !== undefined)
    return (
      <button class="button small" type="button" onClick={() => setGpuLayers(layers)}>
        {t('nearest.layers', { layers })}
      </button>
    );
  if (format !== undefined)
    return (
      <button class="button small" type="button" onClick={() => setFormat(format)}>
        {t('nearest.format', { format: weightsName(format) })}
      </button>
    );
  return null;
}

/** Another split needs another number of GPUs: the rows keep their kind. */
function NearestCount({ tensor }: { tensor: number }) {
  const { answer, setHardware } = useStore();
  const [first] = answer.value.request.hardware;
  if (!first) return null;
  return (
    <button class="button small" type="button" onClick={() => setHardware([{ ...first, count: tensor }])}>
      {t('nearest.devices', { count: count(tensor) })}
    </button>
  );
}

/** `isFixed`: nothing can be changed here, and nothing is announced: in a frame, on someone else's page. */
export function Verdict({ isFixed = false }: { isFixed?: boolean }) {
  const { answer, unit, problem } = useStore();
  const deviceNames = useDeviceNames();
  const { tone, headline, sentence } = verdictTexts(answer.value, unit.value, deviceNames);
  const known = facts(answer.value, unit.value);
  const isStale = problem.value !== null;
  return (
    <section
      class={`verdict ${tone}`}
      data-verdict={answer.value.verdict.class}
      data-stale={isStale || undefined}
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
      {!isFixed && <Announcer text={`${headline}. ${sentence.replaceAll(/<\/?b>|`/g, '')}`} />}
    </section>
  );
}
