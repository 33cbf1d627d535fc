// SPDX-License-Identifier: Apache-2.0
// "Compare" is the calculator with several setups: it begins with the same scripts.
import { firstStore, start } from '../start';
import { Compare } from '../views/compare/Compare';
import { addressOf } from './address';
import { compareMessages } from './messages';
import { createSides, SidesProvider } from './sides';

const store = firstStore();
const sides = createSides(store);
const Page = () => (
  <SidesProvider value={sides}>
    <Compare />
  </SidesProvider>
);
void start(Page, { store, messages: compareMessages, address: addressOf(sides) });
