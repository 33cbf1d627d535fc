// SPDX-License-Identifier: Apache-2.0
// What stands below the answer, once the texts of all of it are there.
import { adviceCard } from './advice/Advice';
import { elsewhereCard } from './elsewhere/Elsewhere';
import { speedCards } from './speed/Cards';

export const laterCards = Promise.all([adviceCard, elsewhereCard, speedCards]).then(
  ([Advice, Elsewhere, Speed]) =>
    () => (
      <>
        <Advice />
        <Speed />
        <Elsewhere />
      </>
    ),
);
