// SPDX-License-Identifier: Apache-2.0
// Runs before the first paint. The theme that was chosen on this device is set, and a page opened through a link with settings says so:
// its numbers belong to other settings until the core has counted (styles: [data-link]). Links keep these settings from the first moment on,
// not only once the page's module has started: data-carry takes them along, data-part goes to a part of the page and leaves the address alone.
(function () {
  var root = document.documentElement;
  if (location.hash.indexOf('=') > 0) root.dataset.link = '';
  try {
    var theme = localStorage.getItem('theme');
    if (theme === 'light' || theme === 'dark') root.dataset.theme = theme;
  } catch (blocked) {
    // Storage is closed to a sandboxed frame; the system's theme is used.
  }
  function linkOf(event, kind) {
    return event.target.closest ? event.target.closest('a[' + kind + ']') : null;
  }
  ['pointerover', 'focusin', 'click'].forEach(function (type) {
    addEventListener(type, function (event) {
      var link = linkOf(event, 'data-carry');
      if (link) link.href = link.href.split('#')[0] + location.hash;
    });
  });
  addEventListener('click', function (event) {
    var link = linkOf(event, 'data-part');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    var part = document.getElementById(link.hash.slice(1));
    if (!part) return;
    event.preventDefault();
    part.scrollIntoView();
    part.focus({ preventScroll: true });
  });
})();
