// SPDX-License-Identifier: Apache-2.0
// Cards below the answer, which come once it stands. Nobody asked for them: one that does not arrive is no news.
import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { useStore } from '../../store';

export function LaterCards() {
  const { coreState } = useStore();
  const [Cards, setCards] = useState<ComponentType>();
  const isReady = coreState.value.status === 'ready';
  useEffect(() => {
    if (isReady)
      import('../../later').then(
        ({ laterCards }) => laterCards.then((cards) => setCards(() => cards)),
        () => undefined,
      );
  }, [isReady]);
  return Cards ? <Cards /> : null;
}
