// SPDX-License-Identifier: Apache-2.0
import { kFrame, reportTrouble } from '../frame';
import { embedMessages } from '../frame-messages';
import { start } from '../start';
import { Embed } from '../views/Embed';
import '../../styles/embed.css';

document.documentElement.dataset['started'] = ''; // public/embed-boot.js waits for it
start(Embed, { address: kFrame, messages: embedMessages }).catch((cause: unknown) => {
  console.warn('Weighbridge: the page did not load.', cause);
  reportTrouble('broken');
});
