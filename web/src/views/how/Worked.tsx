// SPDX-License-Identifier: Apache-2.0
// The article's method and its worked case: its count, the engine's, and why they differ.
import { useState } from 'preact/hooks';
import type { Term } from '../../core/wire';
import { count, decimalMemory, kNoBreakSpace, memory, times } from '../../format';
import { kRuleOfThumb, ruleOfThumb } from '../../how/prints';
import type { Side } from '../../how/figures';
import { useHow } from '../../how/store';
import { t } from '../../i18n';
import { LazyMath } from '../LazyMath';
import { MathButton } from '../MathButton';
import { kParts, partOf, type Part } from '../parts';
import { Rich } from '../Rich';
import { engineName } from '../verdict-texts';
import { weightsName } from '../weights-name';
import { CaseControls } from './CaseControls';
import { CalculatorLink, Figure, Section, Text } from './parts';

const bytesOf = (side: Side, part: Part): number => side.parts.find((candidate) => candidate.part === part)?.bytes ?? 0;
const mathOf = (side: Side, part: Part): Term[] => side.terms.filter((term) => partOf(term) === part && term.bytes > 0);

/** Weights + activations + KV cache, with the figures of the case. */
function Sum() {
  const { article } = useHow().figures.value;
  const parts: Part[] = ['weights', 'act', 'kv'];
  return (
    <div class="equation sum">
      {parts.map((part, index) => (
        <span key={part} class={`factor-group math-${part}`}>
          {index > 0 && <span class="sign">+</span>}
          <span class="factor">
            <b>{decimalMemory(bytesOf(article, part))}</b>
            <small>{t(`part.${part}`)}</small>
          </span>
        </span>
      ))}
      <span class="factor-group">
        <span class="sign">=</span>
        <span class="factor result">
          <b>{decimalMemory(article.total)}</b>
          <small>{t('table.total')}</small>
        </span>
      </span>
    </div>
  );
}

export function Method() {
  return (
    <Section id="method" live>
      <Text id="how.method.sum" />
      <Sum />
      <ul>
        {(['weights', 'activations', 'cache', 'rule'] as const).map((line) => (
          <li key={line}>
            <Rich text={t(`how.method.${line}`, { least: kRuleOfThumb.low, most: kRuleOfThumb.high })} />
          </li>
        ))}
      </ul>
      <Text id="how.method.verdict" />
    </Section>
  );
}

/** Why the two counts of one part differ, in one sentence. */
function reasonOf(part: Part, engine: Side, isInt8: boolean): string {
  if (part === 'kv') return t(isInt8 ? 'how.worked.kvInt8' : 'how.worked.kv', { layers: engine.layers });
  return t(`how.worked.${part}`);
}

function PartRow({ part }: { part: Part }) {
  const { figures } = useHow();
  const [isOpen, setOpen] = useState(false);
  const { article, engine } = figures.value;
  const ours = bytesOf(engine, part);
  const theirs = bytesOf(article, part);
  const name = t(`part.${part}`);
  const names = { article: t('how.theArticle'), engine: engineName('vllm') };
  return (
    <tbody>
      <tr class={isOpen ? 'joined' : undefined}>
        <th scope="row">
          <span class={`swatch ${part}`} />
          {name}
          <small>{reasonOf(part, engine, figures.value.case.format === 'int8')}</small>
        </th>
        <td class="number">{theirs > 0 ? <Figure bytes={theirs} part={`article-${part}`} /> : '–'}</td>
        <td class="number">
          <Figure bytes={ours} part={`engine-${part}`} />
        </td>
        <td class="number ratio">{theirs > 0 ? times(ours / theirs) : ''}</td>
        <td class="number">
          <MathButton
            name={name}
            isOpen={isOpen}
            disabled={engine.terms.length === 0}
            onToggle={() => setOpen(!isOpen)}
          />
        </td>
      </tr>
      {isOpen && (
        <tr>
          <td colSpan={5} class="math-cell">
            {theirs > 0 && (
              <>
                <h3 class="math-side">{names.article}</h3>
                <LazyMath terms={mathOf(article, part)} unit="gb" />
              </>
            )}
            <h3 class="math-side">{names.engine}</h3>
            <LazyMath terms={mathOf(engine, part)} unit="gb" />
          </td>
        </tr>
      )}
    </tbody>
  );
}

function Comparison() {
  const { article, engine } = useHow().figures.value;
  return (
    <table class="table compare stacked">
      <thead>
        <tr>
          <th scope="col">{t('table.part')}</th>
          <th scope="col" class="number">
            {t('how.theArticle')}
          </th>
          <th scope="col" class="number">
            {engineName('vllm')} {engine.version}
          </th>
          <th scope="col" class="number ratio">
            {t('how.worked.ratio')}
          </th>
          <th>
            <span class="visually-hidden">{t('table.showMath')}</span>
          </th>
        </tr>
      </thead>
      {kParts.map((part) => (
        <PartRow key={part} part={part} />
      ))}
      <tfoot>
        <tr>
          <th scope="row">{t('table.total')}</th>
          <td class="number">
            <Figure bytes={article.total} part="article-total" />
          </td>
          <td class="number">
            <Figure bytes={engine.total} part="engine-total" />
          </td>
          <td class="number ratio">{times(engine.total / article.total)}</td>
          <td />
        </tr>
      </tfoot>
    </table>
  );
}

/** The figures as the article prints them, from the same bytes. */
function Prints() {
  const { printed } = useHow().data;
  return (
    <table class="table prints">
      <caption>{t('how.worked.prints')}</caption>
      <thead>
        <tr>
          <th scope="col">{t('table.part')}</th>
          <th scope="col" class="number">
            {t('how.worked.printed')}
          </th>
          <th scope="col" class="number">
            {t('how.worked.exact')}
          </th>
        </tr>
      </thead>
      <tbody>
        {printed.flatMap(({ format, activations, cache, total, prints }) =>
          [activations, cache, total].map((bytes, index) => (
            <tr key={format + index}>
              <th scope="row">
                {weightsName(format)}, {[t('part.act'), t('part.kv'), t('table.total')][index]}
              </th>
              <td class="number">{`${prints[index]}${kNoBreakSpace}${index === 2 ? 'GB' : 'MB'}`}</td>
              <td class="number">{count(bytes)}</td>
            </tr>
          )),
        )}
      </tbody>
    </table>
  );
}

function Differences() {
  const { data, figures } = useHow();
  const { article, engine } = figures.value;
  const [low, high] = ruleOfThumb(bytesOf(article, 'weights'));
  const values = {
    one: `${memory(data.cacheRows.one, 'gib')}`,
    oneBytes: count(data.cacheRows.one),
    printed: `${data.printed[0]?.prints[1] ?? ''}${kNoBreakSpace}MB`,
    sixteen: memory(data.cacheRows.sixteen, 'gib'),
    hidden: decimalMemory(bytesOf(article, 'act')),
    peak: decimalMemory(bytesOf(engine, 'act')),
    low: decimalMemory(low),
    high: decimalMemory(high),
    least: kRuleOfThumb.low,
    most: kRuleOfThumb.high,
    total: decimalMemory(article.total),
    counted: decimalMemory(engine.total),
  };
  return (
    <>
      <h3>{t('how.worked.why')}</h3>
      <ul>
        {(['layers', 'batch', 'peak', 'rule'] as const).map((line) => (
          <li key={line}>
            <Rich text={t(`how.why.${line}`, values)} />
          </li>
        ))}
      </ul>
    </>
  );
}

export function Worked() {
  const { article, engine } = useHow().figures.value;
  return (
    <Section id="worked" live>
      <Text id="how.worked.lead" />
      <CaseControls />
      <Comparison />
      <p class="links">
        <CalculatorLink hash={engine.hash}>{t('how.open.engine', { engine: engineName('vllm') })}</CalculatorLink>
        <CalculatorLink hash={article.hash}>{t('how.open.article')}</CalculatorLink>
      </p>
      <Differences />
      <Prints />
      <Text id="how.worked.printsNote" />
    </Section>
  );
}
