// SPDX-License-Identifier: Apache-2.0
import { hydrate } from 'preact';
import { loadCore } from '../core/load';
import { useLocale, type Locale } from '../i18n';
import { reverseMessages } from '../reverse/messages';
import { createMine, MineProvider } from '../reverse/store';
import { embedded } from '../start';
import { createStore, StoreProvider, type FirstAnswer } from '../store';
import { Reverse } from '../views/reverse/Reverse';
import '../../styles/index.css';
import '../../styles/reverse.css';

// The calculator's answer is not shown here, so nothing counts it: the core of this page reads links and lists what there is.
async function start(root: HTMLElement): Promise<void> {
  const store = createStore(embedded<FirstAnswer>('first'));
  const mine = createMine(store);
  const loading = loadCore();
  loading.catch(() => undefined); // handled below, once there is a page to say it on
  await useLocale(document.documentElement.lang as Locale, reverseMessages);
  hydrate(
    <StoreProvider value={store}>
      <MineProvider value={mine}>
        <Reverse />
      </MineProvider>
    </StoreProvider>,
    root,
  );
  try {
    await mine.open(await loading);
    performance.mark('weighbridge:ready');
  } catch (cause) {
    console.warn('Weighbridge: the counting core did not load.', cause);
    mine.failed.value = cause instanceof WebAssembly.CompileError ? 'blocked' : 'broken';
  }
}

const root = document.getElementById('app');
if (!root) throw new Error('the page has no place for itself');
void start(root);
