// SPDX-License-Identifier: Apache-2.0
const kPaths = {
  check: 'M5 10.5l3.4 3.4L15 6.8',
  cross: 'M6 6l8 8M14 6l-8 8',
  tight: 'M10 5v6.5M10 14.6v.1',
  unknown: 'M7.4 7.6a2.6 2.6 0 115 .9c0 1.6-2.4 1.9-2.4 3.6M10 14.9v.1',
  down: 'M6 8l4 4 4-4',
  search: 'M13.8 9a4.8 4.8 0 11-9.6 0 4.8 4.8 0 019.6 0zM12.6 12.6L16 16',
  file: 'M6 3.5h5l3.5 3.5v9.5h-8.5zM11 3.5V7h3.5',
  folder: 'M3.5 5h4.4l1.6 2h7v8.5h-13z',
  moon: 'M15.5 11.8A6 6 0 018.2 4.5a6 6 0 107.3 7.3z',
  share: 'M10 12V3.5M6.8 6.4L10 3.2l3.2 3.2M4.5 10.5v4.2c0 .9.7 1.6 1.6 1.6h7.8c.9 0 1.6-.7 1.6-1.6v-4.2',
  undo: 'M7.5 5L4 8.5 7.5 12M4 8.5h7.5a4 4 0 010 8H8',
  close: 'M6 6l8 8M14 6l-8 8',
  alert: 'M10 3.5l7 12.5H3zM10 8v4M10 13.9v.1',
} as const;

export function Icon({ name }: { name: keyof typeof kPaths }) {
  return (
    <svg class="icon" viewBox="0 0 20 20" aria-hidden="true">
      <path d={kPaths[name]} />
    </svg>
  );
}
