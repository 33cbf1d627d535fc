// SPDX-License-Identifier: Apache-2.0
// The one place where a model that was read becomes the model that is asked about.
import type { Json, ModelChoice } from '../core/wire';
import { theReader } from './start';
import type { ModelRead } from './wire';

/** `name` is what the person called it; without it the core names it by its architecture and size. */
export const choiceOf = ({ spec, config }: ModelRead, name?: string): ModelChoice => ({
  ...(spec === undefined ? {} : { spec }),
  ...(config === null ? {} : { config }),
  ...(name === undefined ? {} : { name }),
});

/** The model of a link. Throws where the config is none. */
export async function modelOfConfig(config: { [key: string]: Json }): Promise<ModelChoice> {
  const reply = await (await theReader()).call('read_config', { config });
  if (!reply.ok) throw new TypeError(reply.error.message);
  return choiceOf(reply.result);
}
