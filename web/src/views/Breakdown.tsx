// SPDX-License-Identifier: Apache-2.0
// "Where it goes": one row for each part, what it consists of, and the math behind it.
import { Fragment } from 'preact';
import { useState } from 'preact/hooks';
import type { DeviceAnswer, Estimate, Term } from '../core/wire';
import { column, count, memory, unitName, type Unit } from '../format';
import { t, tCode } from '../i18n';
import { useStore } from '../store';
import { fullestOf, kParts, sum, termsOf, type Part } from './parts';
import { LazyMath } from './LazyMath';
import { MathButton } from './MathButton';
import { engineName } from './verdict-texts';

const kMostSubRows = 5;
const kWorthARow = 0.005; // of the part: a second row smaller than that tells nobody anything

interface SubRow {
  label: string;
  bytes: number;
}

/** Rows of one name (two kinds of router tensors, say) are one line. */
function merged(rows: SubRow[]): SubRow[] {
  const byLabel = new Map<string, number>();
  for (const { label, bytes } of rows) byLabel.set(label, (byLabel.get(label) ?? 0) + bytes);
  return [...byLabel].map(([label, bytes]) => ({ label, bytes })).sort((a, b) => b.bytes - a.bytes);
}

/** What a part consists of: the rows of its one sum, or its several terms. A maximum has no parts that add up. */
function subRowsOf(terms: Term[]): SubRow[] {
  const [only] = terms;
  const rows =
    terms.length === 1 && only?.formula?.combine === 'sum'
      ? merged(only.formula.rows.map((row) => ({ label: tCode('row', row.label), bytes: row.bytes })))
      : merged(terms.map((term) => ({ label: tCode('term', term.id), bytes: term.bytes })));
  if ((rows[1]?.bytes ?? 0) < kWorthARow * sum(terms)) return [];
  if (rows.length <= kMostSubRows) return rows;
  const rest = rows.slice(kMostSubRows - 1);
  return [
    ...rows.slice(0, kMostSubRows - 1),
    { label: t('table.rest', { count: rest.length }), bytes: rest.reduce((bytes, row) => bytes + row.bytes, 0) },
  ];
}

function captionOf(part: Part, answer: Estimate): string {
  const { model, request, devices } = answer;
  const workload = { tokens: count(request.workload.context_tokens), sequences: request.workload.sequences };
  if (part === 'weights')
    return model.n_experts > 0
      ? t('table.experts', { all: model.n_experts, used: model.n_experts_used })
      : t('table.dense', { layers: model.n_layers });
  if (part === 'kv') {
    const isCopied =
      devices[0]?.terms.find(({ id }) => id === 'kv_cache')?.formula?.note === 'latent_cache_copied' &&
      devices.length > 1;
    return t(isCopied ? 'table.cacheCopied' : 'table.cache', workload);
  }
  if (part === 'act') return t('table.activations');
  return t('table.overhead');
}

interface RowProps {
  part: Part;
  terms: Term[];
  shown: string;
  all: string;
  unit: Unit;
}

function PartRows({ part, terms, shown, all, unit }: RowProps) {
  const { answer } = useStore();
  const [isOpen, setOpen] = useState(false);
  const subRows = subRowsOf(terms);
  const name = t(`part.${part}`);
  return (
    <tbody>
      <tr class={isOpen || subRows.length ? 'joined' : undefined}>
        <th scope="row">
          <span class={`swatch ${part}`} />
          {name}
          <small>{captionOf(part, answer.value)}</small>
        </th>
        <td class="number">{shown}</td>
        <td class="number optional">{all}</td>
        <td class="number">
          <MathButton name={name} isOpen={isOpen} onToggle={() => setOpen(!isOpen)} />
        </td>
      </tr>
      {subRows.map((row, index) => (
        <tr key={row.label} class={`sub${isOpen || index < subRows.length - 1 ? ' joined' : ''}`}>
          <th scope="row">{row.label}</th>
          <td class="number">{memory(row.bytes, unit)}</td>
          <td class="number optional" />
          <td />
        </tr>
      ))}
      {isOpen && (
        <tr>
          <td colSpan={4} class="math-cell">
            <LazyMath terms={terms} unit={unit} />
          </td>
        </tr>
      )}
    </tbody>
  );
}

/** The engine's limit is held against a part of the total only, where something lies beside it. */
function TotalNote({ device }: { device: DeviceAnswer }) {
  const { answer, unit } = useStore();
  if (device.need_inside_bytes === device.total_bytes) return null;
  return (
    <small>
      {t('table.inside', {
        inside: memory(device.need_inside_bytes, unit.value),
        engine: engineName(answer.value.engine.name),
      })}
    </small>
  );
}

export function Breakdown() {
  const { answer, unit, isBehind } = useStore();
  const fullest = fullestOf(answer.value);
  if (!fullest) return null;
  const parts = kParts.map((part) => ({ part, terms: termsOf(fullest, part) })).filter(({ terms }) => terms.length > 0);
  const one = column(
    parts.map(({ terms }) => sum(terms)),
    unit.value,
  );
  const everywhere = answer.value.devices.length > 0 ? answer.value.devices : [fullest];
  const all = column(
    parts.map(({ part }) => everywhere.reduce((bytes, device) => bytes + sum(termsOf(device, part)), 0)),
    unit.value,
  );
  return (
    <section class="card" data-stale={isBehind.value || undefined} aria-labelledby="breakdown">
      <header>
        <h2 id="breakdown">{t('table.title')}</h2>
      </header>
      <div class="card-body">
        <table class="table">
          <caption class="visually-hidden">{t('table.title')}</caption>
          <thead>
            <tr>
              <th scope="col">
                <span class="visually-hidden">{t('table.part')}</span>
              </th>
              <th scope="col" class="number">
                {t('table.fullest', { unit: unitName(unit.value), devices: answer.value.devices.length })}
              </th>
              <th scope="col" class="number optional">
                {t('table.all', { unit: unitName(unit.value) })}
              </th>
              <th scope="col">
                <span class="visually-hidden">{t('table.showMath')}</span>
              </th>
            </tr>
          </thead>
          {parts.map(({ part, terms }, index) => (
            <Fragment key={part}>
              <PartRows
                part={part}
                terms={terms}
                shown={one.parts[index] ?? ''}
                all={all.parts[index] ?? ''}
                unit={unit.value}
              />
            </Fragment>
          ))}
          <tfoot>
            <tr>
              <th scope="row">
                {t('table.total')}
                <TotalNote device={fullest} />
              </th>
              <td class="number">{one.total}</td>
              <td class="number optional">{all.total}</td>
              <td />
            </tr>
          </tfoot>
        </table>
      </div>
    </section>
  );
}
