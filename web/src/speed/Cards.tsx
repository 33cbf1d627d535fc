// SPDX-License-Identifier: Apache-2.0
// "How fast, and what it costs" and "What rules of thumb would say". Both ask the full core, which comes when the first is seen or the second opened.
import type { ComponentType } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Estimate, Methods, Receipts, Reply, Request, Speed } from '../core/wire';
import { count, memory } from '../format';
import { t } from '../i18n';
import { sayNotice } from '../notices';
import { useStore } from '../store';
import { Icon } from '../views/Icon';
import { Rich } from '../views/Rich';
import { ask, namedLayers, withMachines } from './ask';
import { costSentence, costsShown, factorText, missText, range, seconds, speedSentences, speedTexts } from './texts';
import '../../styles/speed.css';

/** A slider moves many times a second, and nobody reads figures that do. */
const kPause = 150;

type Asked<T> = { reply: Reply<T> } | 'failed' | undefined;

/** The answer of the full core to the present settings, from when it is wanted. */
function useAnswer<M extends 'speed' | 'receipts'>(
  method: M,
  paramsOf: (request: Request, answer: Estimate) => Methods[M]['params'] | Promise<Methods[M]['params']>,
  isWanted: boolean,
): Asked<Methods[M]['result']> {
  const { coreState, answer, request, isBehind } = useStore();
  const [asked, setAsked] = useState<Asked<Methods[M]['result']>>();
  const state = coreState.value;
  const isSettled = !isBehind.value;
  const counted = answer.value;
  useEffect(() => {
    if (!isWanted || !isSettled || state.status !== 'ready') return;
    let isLatest = true;
    const timer = setTimeout(() => {
      Promise.resolve(paramsOf(request.peek(), counted))
        .then((params) => ask(state.core, method, params))
        .then(
          (reply) => isLatest && setAsked({ reply }),
          () => isLatest && setAsked('failed'),
        );
    }, kPause);
    return () => {
      isLatest = false;
      clearTimeout(timer);
    };
  }, [isWanted, isSettled, state, counted]);
  return asked;
}

/** Whether an element has been on the screen. */
function useSeen(): [(element: Element | null) => void, boolean] {
  const [isSeen, setSeen] = useState(false);
  const observer = useRef<IntersectionObserver | undefined>(undefined);
  const watch = (element: Element | null): void => {
    observer.current?.disconnect();
    if (!element || isSeen) return;
    observer.current = new IntersectionObserver(
      (entries) => entries.some((entry) => entry.isIntersecting) && setSeen(true),
    );
    observer.current.observe(element);
  };
  return [watch, isSeen];
}

/** What stands in place of an answer, if there is none. */
function Missing({ asked }: { asked: Asked<unknown> }) {
  if (asked === undefined) return <p class="hint">{t('speed.loading')}</p>;
  if (asked === 'failed') return <p class="hint">{t('speed.failed')}</p>;
  return asked.reply.ok ? null : <p class="hint">{sayNotice(asked.reply.error)}</p>;
}

function Rates({ decode, prefill }: Speed) {
  const { tokens_per_second: all, tokens_per_second_each: each } = decode;
  const first = prefill.first_token_seconds;
  const values = { sequences: decode.sequences, tokens: count(decode.context_tokens) };
  return (
    <dl class="rates">
      {each && (
        <div>
          <dt>{t('speed.each', values)}</dt>
          <dd>{t('speed.rate', { rate: range(each) })}</dd>
        </div>
      )}
      {all && decode.sequences > 1 && (
        <div>
          <dt>{t('speed.all')}</dt>
          <dd>{t('speed.rate', { rate: range(all) })}</dd>
        </div>
      )}
      {first && (
        <div>
          <dt>{t('speed.first', { tokens: count(prefill.prompt_tokens) })}</dt>
          <dd>{seconds(first)}</dd>
        </div>
      )}
      {prefill.tokens_per_second && (
        <div>
          <dt>{t('speed.prompt')}</dt>
          <dd>{t('speed.rate', { rate: range(prefill.tokens_per_second) })}</dd>
        </div>
      )}
    </dl>
  );
}

function Costs({ speed }: { speed: Speed }) {
  const { answer } = useStore();
  if (!speed.decode.tokens_per_second || answer.value.devices.length === 0) return null;
  const shown = costsShown(speed.costs);
  if (shown.length === 0) return <p>{t('speed.noCost')}</p>;
  return (
    <>
      <ul class="costs">
        {shown.map((cost) => (
          <li key={cost.machine}>{costSentence(cost, answer.value.devices.length)}</li>
        ))}
      </ul>
      <p>{t('speed.costNote')}</p>
    </>
  );
}

function SpeedBody({ speed }: { speed: Speed }) {
  const { answer, unit } = useStore();
  const { decode, prefill } = speed;
  const layers = namedLayers(answer.value);
  const gaps = [...new Set([decode.gap, prefill.gap])].filter((gap) => gap !== null);
  return (
    <>
      <Rates {...speed} />
      <div class="speed-words">
        {layers !== undefined && <p>{t('speed.placed', { layers, all: answer.value.engine.all_gpu_layers ?? 0 })}</p>}
        {gaps.map((gap) => (
          <p key={gap}>{t(`speed.gap.${gap}`)}</p>
        ))}
        {decode.tokens_per_second &&
          speedSentences(speed, answer.value.engine.name, answer.value.devices.length, unit.value).map((sentence) => (
            <p key={sentence}>
              <Rich text={sentence} />
            </p>
          ))}
        {decode.tokens_per_second && speed.band.records > 0 && (
          <p>
            <a href="accuracy/#speed">{t('speed.accuracy')}</a>
          </p>
        )}
        <Costs speed={speed} />
      </div>
    </>
  );
}

function SpeedCard() {
  const { isBehind } = useStore();
  const [watch, isSeen] = useSeen();
  const asked = useAnswer('speed', withMachines, isSeen);
  return (
    <section class="card" data-stale={isBehind.value || undefined} aria-labelledby="speed" ref={watch}>
      <header>
        <h2 id="speed">{t('speed.title')}</h2>
      </header>
      <div class="card-body">
        {typeof asked === 'object' && asked.reply.ok ? (
          <SpeedBody speed={asked.reply.result} />
        ) : (
          <Missing asked={asked} />
        )}
      </div>
    </section>
  );
}

function ReceiptsTable({ total_bytes: total, receipts }: Receipts) {
  const { unit } = useStore();
  if (receipts.length === 0) return <p class="hint">{t('receipts.none')}</p>;
  return (
    <>
      <table class="table receipts">
        <thead>
          <tr>
            <th scope="col">{t('receipts.rule')}</th>
            <th scope="col" class="number">
              {t('receipts.says')}
            </th>
            <th scope="col" class="number">
              {t('receipts.off')}
            </th>
          </tr>
        </thead>
        <tbody>
          {receipts.map((receipt) => (
            <tr key={receipt.rule}>
              <th scope="row">{t(`receipts.${receipt.rule}`)}</th>
              <td class="number">{memory(receipt.bytes, unit.value)}</td>
              <td class="number">
                {t('receipts.factor', { factor: factorText(receipt.factor) })}
                <small>{missText(receipt, total, unit.value)}</small>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="note">{t('receipts.note', { total: memory(total, unit.value) })}</p>
    </>
  );
}

const asTheyAre = (request: Request): Request => request;

function ReceiptsCard() {
  const { isBehind } = useStore();
  const [isOpen, setOpen] = useState(false);
  const asked = useAnswer('receipts', asTheyAre, isOpen);
  return (
    <details
      class="card fold"
      data-stale={isBehind.value || undefined}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary>
        <Icon name="down" />
        <h2>{t('receipts.title')}</h2>
      </summary>
      <div class="card-body">
        {typeof asked === 'object' && asked.reply.ok ? (
          <ReceiptsTable {...asked.reply.result} />
        ) : (
          <Missing asked={asked} />
        )}
      </div>
    </details>
  );
}

function SpeedCards() {
  return (
    <>
      <SpeedCard />
      <ReceiptsCard />
    </>
  );
}

/** The cards, once their words are there. */
export const speedCards: Promise<ComponentType> = speedTexts().then(() => SpeedCards);
