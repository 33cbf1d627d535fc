// SPDX-License-Identifier: Apache-2.0
// The one place where a model that was read becomes the model that is asked about.
import type { Json, ModelChoice } from '../core/wire';
import { nameOf, pathOf, type HubReference } from './hub';
import { theReader } from './start';
import type { ModelRead } from './wire';

/** `reference` is where it lies; without it the core names it by its architecture and size. */
export const choiceOf = ({ spec, config }: ModelRead, reference?: HubReference): ModelChoice => ({
  ...(spec === undefined ? {} : { spec }),
  ...(config === null ? {} : { config }),
  ...(reference && { name: nameOf(reference), hub: pathOf(reference) }),
});

/** The model of a link. Throws where the config is none. */
export async function modelOfConfig(
  config: { [key: string]: Json },
  reference: HubReference | undefined,
): Promise<ModelChoice> {
  const reply = await (await theReader()).call('read_config', { config });
  if (!reply.ok) throw new TypeError(reply.error.message);
  return choiceOf(reply.result, reference);
}
