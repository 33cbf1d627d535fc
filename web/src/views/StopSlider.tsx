// SPDX-License-Identifier: Apache-2.0
// A native range over round stops, marked below: each stop is one step, Page Up and Page Down double and halve.
export interface StopSliderProps {
  id: string;
  value: number;
  stops: number[];
  /** Stops with a short text under the slider. */
  marks: number[];
  markText: (stop: number) => string;
  valueText: (value: number) => string;
  onValue: (value: number) => void;
}

const nearestStop = (stops: number[], value: number): number =>
  stops.reduce(
    (best, stop, index) =>
      Math.abs(Math.log(stop / value)) < Math.abs(Math.log((stops[best] ?? 1) / value)) ? index : best,
    0,
  );

const share = (position: number, last: number): string => `${((position / last) * 100).toFixed(2)}%`;

/** Doubles or halves: the stop nearest to it. */
const paged = (stops: number[], value: number, up: boolean): number =>
  stops[nearestStop(stops, up ? value * 2 : value / 2)] ?? value;

export function StopSlider({ id, value, stops, marks, markText, valueText, onValue }: StopSliderProps) {
  const position = nearestStop(stops, Math.max(value, 1));
  const last = Math.max(1, stops.length - 1);
  return (
    <div class="slider">
      <svg aria-hidden="true">
        <rect class="track" y="10" width="100%" height="4" rx="2" />
        <rect class="track-fill" y="10" width={share(position, last)} height="4" rx="2" />
        {marks.map((stop, index) => (
          <text
            key={stop}
            x={share(nearestStop(stops, stop), last)}
            y="36"
            class={index === 0 ? 'first' : index === marks.length - 1 ? 'last' : undefined}
          >
            {markText(stop)}
          </text>
        ))}
      </svg>
      <input
        id={id}
        type="range"
        min="0"
        max={last}
        step="1"
        value={position}
        aria-valuetext={valueText(value)}
        onInput={(event) => {
          const stop = stops[Number(event.currentTarget.value)];
          if (stop !== undefined) onValue(stop);
        }}
        onKeyDown={(event) => {
          if (event.key !== 'PageUp' && event.key !== 'PageDown') return;
          event.preventDefault();
          onValue(paged(stops, value, event.key === 'PageUp'));
        }}
      />
    </div>
  );
}
