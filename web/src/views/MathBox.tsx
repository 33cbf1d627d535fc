// SPDX-License-Identifier: Apache-2.0
// "Show the math": a term as the reader's own numbers, each over its caption, down to the exact bytes.
import type { Factor, FormulaRow, Term } from '../core/wire';
import { count, largeUnits, memory, unitName, type Unit } from '../format';
import { addMessages, t, tCode } from '../i18n';
import { partOf } from './parts';

/** Hundreds of short texts that nobody needs before the first math is opened. */
export const mathTexts = addMessages({
  en: () => import('../../messages/math.en.json'),
  'zh-CN': () => import('../../messages/math.zh-CN.json'),
});

const kSigns: Record<Factor['op'], string> = { times: '×', divide: '÷', cdiv: '÷', plus: '+', minus: '−' };

/** A sum in the middle of a product is what the whole product so far is added to: brackets say so. */
function needsBrackets(factors: Factor[], index: number): boolean {
  const next = factors[index + 1];
  const isSum = factors.slice(0, index + 1).some(({ op }) => op === 'plus' || op === 'minus');
  return (
    isSum &&
    (factors[index]?.op === 'plus' || factors[index]?.op === 'minus') &&
    next !== undefined &&
    next.op !== 'plus' &&
    next.op !== 'minus'
  );
}

function Equation({ row, unit }: { row: FormulaRow; unit: Unit }) {
  const { factors } = row;
  const opens = factors.filter((_, index) => needsBrackets(factors, index)).length;
  return (
    <div class="equation">
      {opens > 0 && <span class="sign">{'('.repeat(opens)}</span>}
      {factors.map((factor, index) => (
        <span key={factor.name} class="factor-group">
          {index > 0 && <span class="sign">{kSigns[factor.op]}</span>}
          <span class="factor">
            <b>{count(factor.value)}</b>
            <small>{tCode('factor', factor.name)}</small>
          </span>
          {needsBrackets(factors, index) && <span class="sign">)</span>}
        </span>
      ))}
      <span class="factor-group">
        {factors.length > 0 && <span class="sign">=</span>}
        <span class="factor result">
          <b>{count(row.bytes)}</b>
          <small>{t('math.bytes')}</small>
        </span>
      </span>
      <span class="factor-group">
        <span class="sign">=</span>
        <span class="factor result">
          <b>{memory(row.bytes, unit)}</b>
        </span>
      </span>
    </div>
  );
}

/** How sure this term is. */
function Certainty({ term, unit }: { term: Term; unit: Unit }) {
  if (term.basis === 'exact') return <p>{t('math.exact')}</p>;
  if (term.low_bytes === term.high_bytes) return <p>{t('math.noRange')}</p>;
  const values = {
    low: largeUnits(term.low_bytes, unit),
    high: largeUnits(term.high_bytes, unit),
    unit: unitName(unit),
    records: term.records,
  };
  return <p>{t(term.records > 0 ? 'math.records' : 'math.notMeasured', values)}</p>;
}

function Source({ term }: { term: Term }) {
  const keys = term.formula?.keys ?? [];
  return (
    <p class="source">
      {keys.length > 0 && (
        <>
          {t('math.keys')}{' '}
          {keys.map((key, index) => (
            <span key={key}>
              {index > 0 && ', '}
              <code>{key}</code>
            </span>
          ))}
          .{' '}
        </>
      )}
      {term.source && (
        <>
          {t('math.source')}{' '}
          {term.source.url ? (
            <a href={term.source.url} rel="noopener noreferrer" target="_blank">
              {term.source.text}
            </a>
          ) : (
            term.source.text
          )}
        </>
      )}
    </p>
  );
}

function TermMath({ term, unit, titled }: { term: Term; unit: Unit; titled: boolean }) {
  const formula = term.formula;
  const rows = formula?.rows ?? [];
  const named = rows.length > 1;
  return (
    <div class={`math-term math-${partOf(term)}`}>
      {titled && <h3>{tCode('term', term.id)}</h3>}
      {formula?.combine === 'max' && <p>{t('math.max')}</p>}
      {rows.map((row) => (
        <div
          key={row.label + row.bytes}
          class={`math-row${formula?.combine === 'max' && !row.chosen ? ' not-chosen' : ''}`}
        >
          {named && (
            <p class="row-name">
              {tCode('row', row.label)}
              {formula?.combine === 'max' && row.chosen && <span class="chosen"> {t('math.chosen')}</span>}
            </p>
          )}
          <Equation row={row} unit={unit} />
        </div>
      ))}
      {formula?.note && <p>{tCode('note', formula.note)}</p>}
      <Certainty term={term} unit={unit} />
      <Source term={term} />
    </div>
  );
}

export interface MathProps {
  terms: Term[];
  unit: Unit;
}

export function MathBox({ terms, unit }: MathProps) {
  return (
    <div class="math">
      {terms.map((term) => (
        <TermMath key={term.id} term={term} unit={unit} titled={terms.length > 1} />
      ))}
    </div>
  );
}
