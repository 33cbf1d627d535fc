// SPDX-License-Identifier: Apache-2.0
// What the catalogue knows of a GPU: each figure, how it came to be known, and from where. It comes when someone asks.
import { Fragment } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import factsUrl from '../../../build/catalogue/facts.json?url';
import { count, memory } from '../format';
import { t, tCode, type MessageId } from '../i18n';
import { useStore } from '../store';
import { deviceTexts } from './texts';

/** build/catalogue/facts.json: the rows of core/data/gpus by their ids. */
interface FactRow {
  name: string;
  kind: string;
  compute_capability?: string;
  memory: { [key: string]: number | string };
  formats: string[];
  bandwidth_gb_s?: number;
  tflops?: { [format: string]: number };
  interconnect?: string;
  slice_of?: string;
  notes: string[];
  [key: string]: unknown;
}
type Facts = { [device: string]: FactRow };

const kMiB = 2 ** 20;

/** Cards that a screen may hang on, and what its desktop was seen to take of one: without a screen 1 to 19 MiB. */
const kWithScreen = ['consumer', 'laptop', 'workstation'];
const kDesktop = {
  linux: '351–1,210 MiB',
  windows: '298–3,047 MiB',
  source:
    'engine logs whose addresses were not kept; 1,621 MiB on one Windows desktop, the rest of the range on laptops',
};

interface Line {
  label: MessageId;
  value: string;
  /** A key of `basis` texts; none where the source says it all. */
  basis?: unknown;
  source?: unknown;
}

/** Figures of memory: the key of the data and the label. */
const kMemory: [string, MessageId][] = [
  ['driver', 'facts.driver'],
  ['runtime', 'facts.runtime'],
  ['windows', 'facts.windows'],
  ['older_driver', 'facts.older'],
  ['ecc_on', 'facts.eccOn'],
  ['newer_default_limit', 'facts.newerShare'],
];

function memoryLines({ memory: row }: FactRow): Line[] {
  const inMiB = (mib: unknown): string => memory(Number(mib) * kMiB, 'gib');
  const lines: Line[] = [
    { label: 'facts.marketed', value: `${row['marketed_gb']} GB`, source: row['marketed_source'] },
  ];
  for (const [key, label] of kMemory)
    if (row[`${key}_mib`] !== undefined)
      lines.push({
        label: key === 'runtime' && row['default_limit_mib'] !== undefined ? 'facts.share' : label,
        value: `${inMiB(row[`${key}_mib`])} (${count(Number(row[`${key}_mib`]))} MiB)`,
        basis: row[`${key}_basis`],
        source: row[`${key}_source`],
      });
  if (row['raised_limit_mib'] !== undefined)
    lines.push({
      label: 'facts.raised',
      value: `${inMiB(row['raised_limit_mib'])} · ${row['raise_command']}`,
      source: row['limit_source'],
    });
  if (row['ecc'] !== undefined)
    lines.push({ label: 'facts.ecc', value: tCode('ecc', String(row['ecc'])), source: row['ecc_source'] });
  return lines;
}

function bandwidthLine(row: FactRow): Line {
  const { bandwidth_gb_s: value, memory: parts } = row;
  const values = { value: String(value), bus: String(parts['bus_bits']), rate: String(parts['rate_gbps']) };
  const shown = parts['rate_gbps'] === undefined || row.slice_of ? 'facts.bandwidthValue' : 'facts.bandwidthFrom';
  return {
    label: 'facts.bandwidth',
    value: value === undefined ? t('facts.unknown') : t(shown, values),
    basis: row['bandwidth_basis'],
    source: row['bandwidth_source'],
  };
}

function linesOf(row: FactRow, facts: Facts): Line[] {
  const lines = [...memoryLines(row), bandwidthLine(row)];
  if (row.tflops)
    lines.push({
      label: 'facts.rates',
      value: Object.entries(row.tflops)
        .map(([format, rate]) => `${format.replaceAll('_', ' ')} ${count(rate)}`)
        .join(' · '),
      basis: row['tflops_basis'],
      source: row['tflops_source'],
    });
  lines.push({
    label: 'facts.formats',
    value: row.formats.join(', ') || t('facts.noUnits'),
    source: row['formats_source'],
  });
  if (row.compute_capability)
    lines.push({ label: 'facts.capability', value: row.compute_capability, source: row['architecture_source'] });
  if (row.interconnect)
    lines.push({
      label: 'facts.interconnect',
      value: row.interconnect,
      basis: row['interconnect_basis'],
      source: row['interconnect_source'],
    });
  if (kWithScreen.includes(row.kind))
    lines.push({
      label: 'facts.desktop',
      value: t('facts.desktopValue', kDesktop),
      basis: 'second-hand',
      source: kDesktop.source,
    });
  if (row.slice_of) lines.push({ label: 'facts.slice', value: facts[row.slice_of]?.name ?? row.slice_of });
  if (row.notes.length > 0) lines.push({ label: 'facts.notes', value: row.notes.join('; ') });
  return lines;
}

/** The source again only where its first words do not already name the basis. */
const sourceOf = ({ basis, source }: Line): string =>
  [basis === undefined ? '' : tCode('basis', String(basis)), String(source ?? '').replace(/^[a-z-]+: /, '')]
    .filter(Boolean)
    .join(' · ');

export default function DeviceFacts() {
  const { request, bring } = useStore();
  const [facts, setFacts] = useState<Facts>();
  useEffect(() => {
    const arriving = fetch(factsUrl).then((response) => response.json() as Promise<Facts>);
    void bring(Promise.all([arriving, deviceTexts()])).then((arrived) => setFacts(arrived?.[0]));
  }, []);
  if (!facts) return null;
  const rows = [...new Set(request.value.hardware.map(({ device }) => device ?? ''))].flatMap((id) => facts[id] ?? []);
  if (rows.length === 0) return <p class="hint">{t('facts.unknown')}</p>;
  return (
    <>
      {rows.map((row) => (
        <Fragment key={row.name}>
          <b>{row.name}</b>
          <dl>
            {linesOf(row, facts).map((line) => (
              <div key={line.label}>
                <dt>{t(line.label)}</dt>
                <dd>
                  {line.value}
                  <small>{sourceOf(line)}</small>
                </dd>
              </div>
            ))}
          </dl>
        </Fragment>
      ))}
    </>
  );
}
