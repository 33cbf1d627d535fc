// SPDX-License-Identifier: Apache-2.0
// Runs before the first paint. The theme that was chosen on this device is set, and a page opened through a link with settings says so:
// its numbers belong to other settings until the core has counted (styles: [data-link]).
(function () {
  var root = document.documentElement;
  if (location.hash.indexOf('=') > 0) root.dataset.link = '';
  try {
    var theme = localStorage.getItem('theme');
    if (theme === 'light' || theme === 'dark') root.dataset.theme = theme;
  } catch (blocked) {
    // Storage is closed to a sandboxed frame; the system's theme is used.
  }
})();
