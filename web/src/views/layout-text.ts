// SPDX-License-Identifier: Apache-2.0
import type { Parallel } from '../core/wire';

/** As people write layouts: TP2 × PP2, with the parts that are more than one. */
export const layoutText = ({ tensor, pipeline = 1, data = 1, expert = false, nodes = 1 }: Parallel): string =>
  [
    tensor && `TP${tensor}`,
    pipeline > 1 && `PP${pipeline}`,
    data > 1 && `DP${data}`,
    expert && 'EP',
    nodes > 1 && `nodes=${nodes}`,
  ]
    .filter(Boolean)
    .join(' × ');
