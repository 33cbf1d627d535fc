// SPDX-License-Identifier: Apache-2.0
// The reader beside the page: a header of many megabytes must not stop the page from scrolling. It gets bytes and answers text; it asks
// nothing of the network but its own module.
import { loadReaderModule, run } from './module';
import type { Errand } from './wire';

const module = loadReaderModule();
module.then(
  () => postMessage({ started: true }),
  (cause: unknown) => postMessage({ started: false, cause: String(cause) }),
);

addEventListener('message', ({ data }: MessageEvent<{ id: number; errand: Errand }>) => {
  void module
    .then((loaded) => ({ id: data.id, text: run(loaded, data.errand) }))
    .catch((cause: unknown) => ({ id: data.id, cause: String(cause) }))
    .then((answer) => postMessage(answer));
});
