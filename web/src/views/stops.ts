// SPDX-License-Identifier: Apache-2.0
// Where the sliders stop: powers of two with steps between them, ended by the most that is allowed.

/** From `least` (a power of two) up to `most`: `perOctave` stops between each power of two and the next, whole multiples of `unit`. */
export function octaveStops(least: number, most: number, perOctave: number, unit: number): number[] {
  const stops = new Set<number>();
  for (let octave = least; octave < most; octave *= 2)
    for (let step = 0; step < perOctave; ++step) {
      const stop = Math.round((octave * (1 + step / perOctave)) / unit) * unit;
      if (stop >= 1 && stop < most) stops.add(stop);
    }
  stops.add(most);
  return [...stops].sort((a, b) => a - b);
}

/** Every second power of two from `least`, and the end; a power too near to the end gives way to it. */
export function marksOf(least: number, most: number): number[] {
  const marks: number[] = [];
  for (let mark = least; mark * 2 < most; mark *= 4) marks.push(mark);
  return [...marks, most];
}
