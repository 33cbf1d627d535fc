// SPDX-License-Identifier: Apache-2.0
// Runs in the frame before its first paint, and also where its module cannot: a module needs the server's permission in a sandboxed frame,
// a classic script does not. It keeps the theme and the height right, and says so when the module does not start.
(() => {
  const kPatience = 10_000; // ms; a module that starts later still brings its answer
  const root = document.documentElement;
  const stored = new URLSearchParams(document.currentScript.dataset.default);
  const isOfTheFrame = (key) => ['view', 'th', 'id'].includes(key);
  const changesNothing = (key) => isOfTheFrame(key) || ['d', 't'].includes(key); // what a shared link was counted with, and gave
  const linkNow = () => new URLSearchParams(location.hash.slice(1));
  const isDefault = () => [...linkNow()].every(([key, value]) => changesNothing(key) || stored.get(key) === value);

  const post = (type, more) => {
    if (parent !== window) parent.postMessage({ type: `weighbridge:${type}`, v: 1, id: root.dataset.id, ...more }, '*');
  };
  const setTheme = (theme) => {
    if (theme === 'light' || theme === 'dark') root.dataset.theme = theme;
    else delete root.dataset.theme;
  };

  const asked = linkNow();
  root.dataset.script = '';
  root.dataset.id = asked.get('id') ?? '';
  if (['bar', 'full'].includes(asked.get('view'))) root.dataset.view = asked.get('view');
  // The stored answer is not the one that was asked for: hidden until the core has counted (styles: [data-link]).
  if (!isDefault()) root.dataset.link = '';
  setTheme(asked.get('th'));
  addEventListener('message', ({ source, data }) => {
    if (source === parent && data?.type === 'weighbridge:theme' && data.v === 1) setTheme(data.theme);
  });

  /** The full page opens with what this link says; once the core has read it, the module writes it anew. */
  const carryState = () => {
    const parts = location.hash.slice(1).split('&');
    const kept = parts.filter((part) => !isOfTheFrame(part.split('=')[0])).join('&');
    for (const link of document.querySelectorAll('a[data-full]')) link.hash = kept;
  };
  /** Shows the one sentence out of those that stand in the HTML; none once there is no trouble any more. */
  const tellTrouble = (trouble) => {
    const box = document.querySelector('.trouble');
    box.hidden = isDefault() || !trouble;
    root.toggleAttribute('data-asked', !box.hidden); // hides the stored answer
    if (trouble) root.dataset.trouble = trouble;
    else return void delete root.dataset.trouble;
    for (const line of box.querySelectorAll('[data-why]')) line.hidden = line.dataset.why !== trouble;
    carryState();
    post('error', { code: trouble, text: box.querySelector(`[data-why=${trouble}]`).textContent });
  };
  addEventListener('weighbridge:trouble', ({ detail }) => tellTrouble(detail)); // from the module, about the core
  addEventListener('hashchange', () => root.dataset.trouble && tellTrouble(root.dataset.trouble));
  // A sandboxed frame may lack the right to open a tab; then the address is there to copy.
  addEventListener('click', (event) => {
    const link = origin === 'null' && event.target.closest('a[data-full]');
    if (!link) return;
    event.preventDefault();
    const note = document.querySelector('.refused');
    note.hidden = open(link.href, '_blank') !== null;
    note.querySelector('code').textContent = link.href;
  });
  const giveUp = () => {
    if (root.dataset.started === undefined) tellTrouble(origin === 'null' ? 'sandboxed' : 'unstarted');
  };
  const reportSize = () => {
    let told = 0;
    new ResizeObserver(() => {
      const height = Math.ceil(document.body.getBoundingClientRect().height);
      if (height <= told && told - height < 2) return;
      told = height;
      post('size', { height });
    }).observe(document.body);
  };
  let isRefused = false;
  const isRead = () => document.readyState !== 'loading';
  addEventListener(
    'error',
    ({ target }) => {
      isRefused ||= target instanceof HTMLScriptElement;
      if (isRefused && isRead()) giveUp();
    },
    true,
  );
  // Not DOMContentLoaded, nor load: both wait for the module.
  document.addEventListener('readystatechange', () => {
    if (document.readyState !== 'interactive') return;
    reportSize();
    carryState();
    if (isRefused) giveUp();
  });
  setTimeout(giveUp, kPatience);
})();
