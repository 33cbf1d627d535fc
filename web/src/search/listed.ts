// SPDX-License-Identifier: Apache-2.0
import listedUrl from '../../../build/catalogue/listed.json?url';
import type { CatalogueModel } from '../core/wire';

/** build/catalogue/listed.json: what a list says of a model beside what it is counted by. */
export type Listed = Record<string, Pick<CatalogueModel, 'relation' | 'license'>>;

/** A list without it is a list all the same. */
export const bringListed = (): Promise<Listed> =>
  fetch(listedUrl)
    .then((response) => (response.ok ? (response.json() as Promise<Listed>) : {}))
    .catch(() => ({}));
