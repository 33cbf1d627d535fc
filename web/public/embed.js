// SPDX-License-Identifier: Apache-2.0
// <weighbridge-card m="deepseek-r1" g="8xh200">fallback</weighbridge-card>: a frame with the answer, as high as its content.
// Attributes are the keys of a Weighbridge link; theme, lang, title, sandbox and site are the element's own.
(() => {
  const script = document.currentScript || document.querySelector('script[src$="embed.js"]');
  const styles = new CSSStyleSheet();
  styles.replaceSync(`:host{display:block;position:relative}
iframe{display:block;box-sizing:border-box;width:100%;height:150px;border:0;border-radius:14px}
.wait{position:absolute;visibility:hidden;height:1px!important}`);
  const isKey = (name) =>
    !/-|^(theme|lang|title|sandbox|site|id|class|style|dir|hidden|slot|part|role|tabindex|on.*)$/.test(name);
  const system = matchMedia('(prefers-color-scheme: dark)');
  let count = 0;

  class WeighbridgeCard extends HTMLElement {
    #id = `weighbridge-${++count}`;
    #root = this.attachShadow({ mode: 'open' });
    #update = () => this.#tell();
    #watch = new MutationObserver(this.#update);
    #hear = ({ source, data }) =>
      source === this.#frame?.contentWindow && data?.v === 1 && data.id === this.#id && this.#take(data);
    #frame;
    #isReady;
    #state;
    #theme;

    connectedCallback() {
      this.#root.adoptedStyleSheets = [styles];
      addEventListener('message', this.#hear);
      system.addEventListener('change', this.#update);
      this.#build();
      const attributes = true;
      for (const node of [this, document.documentElement, document.body]) this.#watch.observe(node, { attributes });
    }

    disconnectedCallback() {
      removeEventListener('message', this.#hear);
      system.removeEventListener('change', this.#update);
      this.#watch.disconnect();
    }

    /** Sends a message into the frame: set {state}, get, theme {theme}. */
    send(type, more) {
      this.#frame.contentWindow?.postMessage({ type: `weighbridge:${type}`, v: 1, id: this.#id, ...more }, '*');
    }

    #build() {
      const frame = (this.#frame = document.createElement('iframe'));
      const zh = /^zh/i.test(this.lang || document.documentElement.lang) ? 'zh/' : '';
      this.#isReady = false;
      this.#state = this.#link();
      this.#theme = this.#tone();
      frame.title = this.title || 'Weighbridge';
      frame.loading = 'lazy';
      frame.referrerPolicy = 'no-referrer';
      if (this.hasAttribute('sandbox')) frame.setAttribute('sandbox', this.getAttribute('sandbox'));
      if (this.innerHTML.trim()) frame.className = 'wait';
      const site = new URL(this.getAttribute('site') || '.', script?.src || document.baseURI);
      frame.src = new URL(
        `${zh}embed/#${[this.#state, `th=${this.#theme}`, `id=${this.#id}`].filter(Boolean).join('&')}`,
        site,
      );
      this.#root.replaceChildren(document.createElement('slot'), frame);
    }

    #link() {
      return [...this.attributes]
        .filter(({ name }) => isKey(name))
        .map(({ name, value }) => `${name}=${encodeURIComponent(value)}`)
        .join('&');
    }

    /** What the attribute says, else what the page's marks say, else what its text colour tells of its ground. */
    #tone() {
      const own = this.getAttribute('theme');
      if (own === 'light' || own === 'dark') return own;
      for (const node of [document.body, document.documentElement]) {
        const mark = node.dataset.mdColorScheme || node.dataset.theme;
        if (mark === 'slate' || mark === 'dark' || node.classList.contains('dark')) return 'dark';
        if (mark === 'default' || mark === 'light') return 'light';
      }
      const { color } = getComputedStyle(this);
      const [r, g, b] = /^rgb/.test(color) ? color.match(/[\d.]+/g) : [0, 0, 0];
      return r * 0.3 + g * 0.6 + b * 0.1 > 127 ? 'dark' : 'light';
    }

    #tell() {
      const theme = this.#tone();
      if (theme !== this.#theme) this.send('theme', { theme: (this.#theme = theme) });
      const state = this.#link();
      if (state !== this.#state && this.#isReady) this.send('set', { state: (this.#state = state) });
    }

    #take(data) {
      const kind = data.type.replace('weighbridge:', '');
      if (kind === 'size') this.#frame.style.height = `${data.height}px`;
      if (kind === 'ready') {
        this.#isReady = true;
        this.#frame.className = '';
        this.#root.querySelector('slot').style.display = 'none';
        this.#tell();
      }
      this.dispatchEvent(new CustomEvent(data.type, { detail: data, bubbles: true }));
    }
  }
  if (!customElements.get('weighbridge-card')) customElements.define('weighbridge-card', WeighbridgeCard);
})();
