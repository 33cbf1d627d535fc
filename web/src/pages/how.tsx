// SPDX-License-Identifier: Apache-2.0
import type { HowData } from '../how/data';
import { howMessages } from '../how/messages';
import { embedded, start } from '../start';
import { How } from '../views/how/How';
import '../../styles/index.css';
import '../../styles/how.css';

const data = embedded<HowData>('data');
void start(() => <How data={data} />, { messages: howMessages });
