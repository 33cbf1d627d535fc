// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { splitLink } from '../../web/src/frame';

describe('the link of a frame', () => {
  it.each([
    ['', '', 'card'],
    ['#', '', 'card'],
    ['#m=deepseek-r1&view=bar&g=8xh200&th=dark&id=a', 'm=deepseek-r1&g=8xh200', 'bar'],
    ['m=x&foo=3&viewer=1&idx=2', 'm=x&foo=3&viewer=1&idx=2', 'card'],
    ['#view', '', ''],
    ['#view=a=b&&c=zAb_-', 'c=zAb_-', 'a=b'],
  ])('%s', (hash, state, view) => expect(splitLink(hash)).toEqual({ state, view }));
});
