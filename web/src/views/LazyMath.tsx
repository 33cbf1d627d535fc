// SPDX-License-Identifier: Apache-2.0
// The math behind a row, which comes with its words when it is first opened.
import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { useStore } from '../store';
import type { MathProps } from './MathBox';

async function mathBox(): Promise<ComponentType<MathProps>> {
  const { MathBox, mathTexts } = await import('./MathBox');
  await mathTexts;
  return MathBox;
}

export function LazyMath(props: MathProps) {
  const { bring } = useStore();
  const [Box, setBox] = useState<ComponentType<MathProps>>();
  useEffect(() => void bring(mathBox()).then((box) => setBox(() => box)), []);
  return Box ? <Box {...props} /> : null;
}
