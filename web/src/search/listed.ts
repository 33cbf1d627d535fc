// SPDX-License-Identifier: Apache-2.0
import listedUrl from '../../../build/catalogue/listed.json?url';
import type { CatalogueModel } from '../core/wire';

/** build/catalogue/listed.json: what a list says of a model beside what it is counted by. */
export type Listed = Record<string, Pick<CatalogueModel, 'relation' | 'license'>>;

export async function bringListed(): Promise<Listed> {
  const response = await fetch(listedUrl);
  if (!response.ok) throw new Error(`${listedUrl}: ${response.status}`);
  return response.json() as Promise<Listed>;
}
