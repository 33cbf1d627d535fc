// SPDX-License-Identifier: Apache-2.0
// One bar for each group of equal devices, drawn in SVG with percentages: it needs no script, and no style attribute that a strict
// Content-Security-Policy would refuse.
import type { ComponentChildren } from 'preact';
import type { DeviceAnswer, Estimate, Group, Term } from '../core/wire';
import { largeUnits, memory, type Unit } from '../format';
import { t } from '../i18n';
import { useStore } from '../store';
import { hostAsDevice, kParts, sum, termsOf, type Part } from './parts';
import { engineName } from './verdict-texts';

const kLabelFrom = 0.13; // share of the bar from which a segment has a label, if it has room for it
const kLabelMargin = 14; // px, before the text and after it
const kNarrow = 8; // px of a figure or a Latin letter at most
const kWide = 13; // px of a Chinese character
/** Widths of a bar, in px, from which styles/answer.css shows a text of the class `from-…`. */
const kWidths = [280, 360, 440, 520, 600, 700, 840] as const;

interface Segment {
  part: Part | 'free' | 'held';
  from: number;
  bytes: number;
}

/**
 * From the left: what counts inside the engine's limit, what is free up to it, the limit, what the engine takes beside it (context and
 * the like), and what stays on the card.
 */
function segmentsOf(device: DeviceAnswer): { segments: Segment[]; extent: number } {
  const segments: Segment[] = [];
  let at = 0;
  const add = (part: Segment['part'], bytes: number): void => {
    if (bytes > 0) segments.push({ part, from: at, bytes });
    at += Math.max(bytes, 0);
  };
  const split = (inside: boolean) => (part: Part) =>
    add(part, sum(termsOf(device, part).filter((term: Term) => term.inside_limit === inside)));
  kParts.forEach(split(true));
  add('free', device.limit_bytes - at);
  kParts.forEach(split(false));
  add('held', device.capacity_bytes - at);
  return { segments, extent: Math.max(at, device.capacity_bytes) };
}

const percent = (share: number): string => `${(share * 100).toFixed(3)}%`;

/** A text that has `share` of the bar; there where the bar is wide enough for it. */
function RoomFor({ text, share, children }: { text: string; share: number; children: string }) {
  const wide = text.match(/[\u2e80-\uffff]/g)?.length ?? 0;
  const needed = (kLabelMargin + wide * kWide + (text.length - wide) * kNarrow) / share;
  const width = kWidths.find((each) => each >= needed);
  return width ? <tspan class={`from-${width}`}>{children}</tspan> : null;
}

function Labels({ segments, scale, unit }: { segments: Segment[]; scale: number; unit: Unit }) {
  return (
    <>
      {segments
        .filter(({ part, bytes }) => part !== 'free' && part !== 'held' && bytes / scale > kLabelFrom)
        .map(({ part, from, bytes }) => {
          const name = `${t(`part.${part as Part}`)} `;
          const figure = largeUnits(bytes, unit);
          return (
            <text
              key={part + from}
              class={`label-${part}`}
              x={percent(from / scale)}
              y="50%"
              dx="10"
              dominant-baseline="central"
            >
              <RoomFor text={name + figure} share={bytes / scale}>
                {name}
              </RoomFor>
              <RoomFor text={figure} share={bytes / scale}>
                {figure}
              </RoomFor>
            </text>
          );
        })}
    </>
  );
}

/** The stretch that is needed but not there. */
function Overrun({ from, to, scale }: { from: number; to: number; scale: number }) {
  if (to <= from) return null;
  return (
    <rect
      class="overrun"
      x={percent(from / scale)}
      width={percent((to - from) / scale)}
      height="100%"
      fill="url(#hatch-over)"
    />
  );
}

function describe(device: DeviceAnswer, unit: Unit): string {
  const parts = kParts.map((part) => `${t(`part.${part}`)} ${memory(sum(termsOf(device, part)), unit)}`).join(', ');
  return t('bar.description', {
    need: memory(device.total_bytes, unit),
    card: memory(device.capacity_bytes, unit),
    limit: memory(device.limit_bytes, unit),
    parts,
  });
}

/** The bytes that the whole width of a device's bar stands for. */
export const extentOf = (device: DeviceAnswer): number => segmentsOf(device).extent;

interface BarProps {
  device: DeviceAnswer;
  name: string;
  unit: Unit;
  engine: string;
  /** Bytes of the whole width, where several bars share a scale. */
  scale?: number;
}

function Bar({ device, name, unit, engine, scale = extentOf(device) }: BarProps) {
  const { segments, extent } = segmentsOf(device);
  const limit = device.limit_bytes / scale;
  const hasOwnLimit = device.limit_bytes < device.capacity_bytes;
  const label = t('bar.limit', { engine: engineName(engine), limit: largeUnits(device.limit_bytes, unit) });
  return (
    <div class="bar">
      {hasOwnLimit && (
        <svg class="bar-top" aria-hidden="true">
          <text x={percent(limit)} y="12" dx="-6" text-anchor="end" class={limit < 0.3 ? 'flipped' : undefined}>
            {label}
          </text>
        </svg>
      )}
      <svg class="bar-fill" role="img" aria-label={`${name}: ${describe(device, unit)}`}>
        {segments.map(({ part, from, bytes }) => (
          <rect
            key={part + (from >= device.limit_bytes ? '-beside' : '')}
            class={`fill-${part}`}
            x={percent(from / scale)}
            width={percent(bytes / scale)}
            height="100%"
            fill={part === 'held' ? 'url(#hatch)' : undefined}
          />
        ))}
        <Overrun from={device.limit_bytes} to={device.need_inside_bytes} scale={scale} />
        <Overrun from={Math.max(device.capacity_bytes, device.need_inside_bytes)} to={extent} scale={scale} />
        <Labels segments={segments} scale={scale} unit={unit} />
      </svg>
      {hasOwnLimit && (
        <svg class="bar-limit" aria-hidden="true">
          <line x1={percent(limit)} x2={percent(limit)} y1="0" y2="100%" />
        </svg>
      )}
    </div>
  );
}

function groupName(group: Group): string {
  const last = group.first + group.count - 1;
  return group.count === 1 ? `GPU ${group.first}` : `GPU ${group.first}–${last}`;
}

interface BarRowProps extends BarProps {
  /** Shown in place of the name that its bar is described by. */
  title?: string;
  /** Its size is known. */
  isSized?: boolean;
  /** Below its name. */
  children: ComponentChildren;
}

/** A device with its name, its bar and its total. */
export function BarRow({ title, isSized = true, children, ...bar }: BarRowProps) {
  const { device, name, unit } = bar;
  return (
    <div class="device">
      <div>
        <b>{title ?? name}</b>
        {children}
      </div>
      <Bar {...bar} />
      <div class="device-total">
        <b>{memory(device.total_bytes, unit)}</b>
        {isSized && <small>{t('bar.of', { card: memory(device.capacity_bytes, unit) })}</small>}
      </div>
    </div>
  );
}

function DeviceRow({ group }: { group: Group }) {
  const { answer, unit } = useStore();
  const device = answer.value.devices[group.device_index];
  if (!device) return null;
  return (
    <BarRow device={device} name={groupName(group)} unit={unit.value} engine={answer.value.engine.name}>
      <small>
        {group.count > 1 ? t('bar.alike', { count: group.count, device: device.device_name }) : device.device_name}
      </small>
      {device.running?.map(({ id, name, bytes }) => (
        <small key={id}>{t('bar.running', { name, memory: memory(bytes, unit.value) })}</small>
      ))}
    </BarRow>
  );
}

/** System memory, where the engine keeps part of the model there. */
function HostRow() {
  const { answer, unit } = useStore();
  const { host } = answer.value;
  if (host.total_bytes === 0) return null;
  const isSized = Boolean(host.capacity_bytes);
  const facts = { device: hostAsDevice(host), name: t('bar.host'), unit: unit.value, engine: answer.value.engine.name };
  return (
    <BarRow {...facts} isSized={isSized}>
      <small>{isSized ? t(`class.${host.class ?? 'unknown'}`) : t('bar.hostUnknown')}</small>
    </BarRow>
  );
}

/** What a monitor shows is more than what is needed, where an engine takes its whole share at start. */
function Observed() {
  const { answer, unit } = useStore();
  const [device] = answer.value.devices;
  if (!device || device.reserved_bytes <= device.total_bytes) return null;
  return (
    <p class="note">
      {t('bar.observed', {
        observed: memory(device.observed_bytes, unit.value),
        engine: engineName(answer.value.engine.name),
      })}
    </p>
  );
}

/** How the model is spread over several devices. */
const splitName = ({ engine, request }: Estimate): string =>
  engine.all_gpu_layers ? t('bar.layers') : t('bar.split', { tensor: request.parallel?.tensor ?? 1 });

export function Patterns() {
  return (
    <svg class="patterns" aria-hidden="true">
      <defs>
        <pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
          <rect class="hatch-ground" width="7" height="7" />
          <rect class="hatch-line" width="1.5" height="7" />
        </pattern>
        <pattern id="hatch-over" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
          <rect class="over-line" width="3" height="7" />
        </pattern>
      </defs>
    </svg>
  );
}

export function Legend({ devices }: { devices: DeviceAnswer[] }) {
  const hasPool = devices.some((device) => device.limit_bytes < device.capacity_bytes);
  return (
    <ul class="legend">
      {kParts.map((part) => (
        <li key={part}>
          <span class={`swatch ${part}`} />
          {t(`part.${part}`)}
        </li>
      ))}
      <li>
        <span class="swatch free" />
        {t(hasPool ? 'part.freePool' : 'part.free')}
      </li>
      {hasPool && (
        <li>
          <span class="swatch held" />
          {t('part.held')}
        </li>
      )}
    </ul>
  );
}

/** `isBrief` leaves out what a monitor would show. */
export function Bars({ isBrief = false }: { isBrief?: boolean }) {
  const { answer, isBehind } = useStore();
  const { groups, devices } = answer.value;
  if (devices.length === 0 && answer.value.host.total_bytes === 0) return null;
  return (
    <section class="card" data-stale={isBehind.value || undefined} aria-labelledby="bars">
      <header>
        <h2 id="bars">{t('bar.title', { devices: devices.length })}</h2>
        {devices.length > 1 && <span class="muted">{splitName(answer.value)}</span>}
      </header>
      <div class="card-body">
        <Patterns />
        {groups.map((group) => (
          <DeviceRow key={group.first} group={group} />
        ))}
        <HostRow />
        <Legend devices={devices} />
        {!isBrief && <Observed />}
      </div>
    </section>
  );
}
