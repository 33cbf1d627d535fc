// SPDX-License-Identifier: Apache-2.0
import type { VerdictClass } from '../core/wire';

export type Tone = 'ok' | 'warn' | 'bad' | 'plain';

/** The colour and the sign of a verdict. */
export const kTones: Record<VerdictClass, Tone> = {
  fits: 'ok',
  tight: 'warn',
  offload: 'warn',
  no: 'bad',
  impossible: 'bad',
  unknown: 'plain',
};
