// SPDX-License-Identifier: Apache-2.0
// Below the model box: what would be asked of which host, how far the reading is, and what to do after a failure. Nothing is fetched before
// a button that names the host is pressed.
import { useEffect, useRef, useState } from 'preact/hooks';
import { decimalMemory, memory, parseCount } from '../../format';
import { sentences, t } from '../../i18n';
import { kHubHosts, nameOf, type HubHost } from '../../reader/hub';
import { readTexts, takeRemote } from '../../reader/take';
import type { GivenLayers } from '../../reader/wire';
import { useStore, type Outside } from '../../store';
import { Rich } from '../Rich';

/** The host that the address names comes first. */
const hostsOf = ({ reference, host }: Outside): HubHost[] => {
  const first = host ?? reference?.host ?? kHubHosts[0];
  return [first, ...kHubHosts.filter((other) => other !== first)];
};

function Hosts({ outside }: { outside: Outside }) {
  const store = useStore();
  const { reference, state, isLinked } = outside;
  if (!reference) return null;
  return (
    <>
      {hostsOf(outside).map((host) => (
        <button
          key={host}
          class="button small"
          type="button"
          onClick={() => void takeRemote(store, reference, host, isLinked)}
        >
          {t(state === 'failed' && host === outside.host ? 'read.again' : 'read.from', { host })}
        </button>
      ))}
    </>
  );
}

function progressText({ progress, host }: Outside): string {
  if (!progress?.readBytes) return host ? t('read.asking', { host }) : t('read.starting');
  const { done, files, readBytes, neededBytes, wholeBytes } = progress;
  const text = t('read.progress', {
    done,
    files,
    read: memory(readBytes, 'gib'),
    needed: memory(neededBytes, 'gib'),
  });
  const rest = wholeBytes - neededBytes;
  return sentences(text, rest > neededBytes ? t('read.notRead', { size: decimalMemory(rest) }) : '');
}

function Reading({ outside }: { outside: Outside }) {
  const { progress } = outside;
  return (
    <>
      <p id="reading" role="status">
        {progressText(outside)}
      </p>
      <progress
        aria-labelledby="reading"
        {...(progress && progress.neededBytes > 0 ? { value: progress.readBytes, max: progress.neededBytes } : {})}
      />
    </>
  );
}

const kLayerKeys = ['n_layers', 'n_kv_heads', 'head_dim'] as const;

/** What the cache of an architecture that nobody knows hangs on. */
function LayersForm({ onLayers }: { onLayers: (layers: GivenLayers) => void }) {
  const [texts, setTexts] = useState<Record<string, string>>({});
  const [isTried, setTried] = useState(false);
  const numberOf = (key: string): number => parseCount(texts[key] ?? '') ?? 0;
  function submit(event: Event): void {
    event.preventDefault();
    setTried(true);
    const [n_layers, n_kv_heads, head_dim] = kLayerKeys.map(numberOf) as [number, number, number];
    if (n_layers > 0 && n_kv_heads > 0 && head_dim > 0) onLayers({ n_layers, n_kv_heads, head_dim });
  }
  return (
    <form class="outside-layers" onSubmit={submit}>
      {kLayerKeys.map((key) => (
        <label key={key}>
          {t(`read.${key}`)}
          <input
            type="text"
            inputMode="numeric"
            autocomplete="off"
            value={texts[key] ?? ''}
            aria-invalid={isTried && numberOf(key) < 1}
            onInput={({ currentTarget: { value } }) => setTexts({ ...texts, [key]: value })}
          />
        </label>
      ))}
      <button class="button small" type="submit">
        {t('read.countLayers')}
      </button>
    </form>
  );
}

/** Why this is offered, and what a press on a button does. */
function offerText({ reference, isLinked }: Outside, isCounted: boolean): string {
  const isOneFile = reference?.file?.toLowerCase().endsWith('.gguf');
  const why = isLinked ? t(isCounted ? 'read.linked' : 'read.linkedOnly') : isOneFile ? '' : t('read.unknown');
  return sentences(why, t(isOneFile ? 'read.offerFile' : 'read.offer'));
}

function OutsidePanel() {
  const { outside, request } = useStore();
  const shown = outside.value;
  const panel = useRef<HTMLDivElement>(null);
  const was = useRef<Outside | null>(null);
  // Buttons come and go with the state: who pressed one goes on at the next, or at the box; who has left for another field stays there.
  useEffect(() => {
    const { activeElement } = document;
    const isHere = activeElement === document.body || panel.current?.contains(activeElement);
    const isUnasked = shown?.isLinked && !was.current;
    if (shown?.reference && !isUnasked && (isHere || shown.state === 'offer'))
      panel.current?.querySelector('button')?.focus();
    else if (!shown && was.current && isHere) document.getElementById('model')?.focus();
    was.current = shown;
  }, [shown?.state, shown?.reference]);
  if (!shown) return null;
  const { state, reference, isLinked, cancel } = shown;
  function close(): void {
    cancel?.();
    outside.value =
      state === 'reading' && reference ? { state: 'offer', reference, ...(isLinked && { isLinked }) } : null;
  }
  return (
    <div ref={panel} class="outside" data-state={state} role="group" aria-label={t('read.label')}>
      {reference && <p class="outside-name">{nameOf(reference)}</p>}
      {state === 'offer' && (
        <p>
          <Rich text={offerText(shown, request.value.model.spec !== undefined)} />
        </p>
      )}
      {state === 'reading' && <Reading outside={shown} />}
      {shown.askLayers && <LayersForm onLayers={shown.askLayers} />}
      <div class="outside-buttons">
        {(state === 'offer' || state === 'failed') && <Hosts outside={shown} />}
        <button class="text-button" type="button" onClick={close}>
          {t(
            state === 'failed' || state === 'unknown' || (isLinked && state === 'offer')
              ? 'notice.close'
              : 'read.cancel',
          )}
        </button>
      </div>
    </div>
  );
}

/** Once its texts are there: a link may offer a model before anything has been read. */
export const outsidePanel = readTexts.then(() => OutsidePanel);
