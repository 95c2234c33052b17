(function () {
  "use strict";
  var root = document.documentElement;
  function remembered(key) {
    try { return window.localStorage.getItem(key); } catch (error) { return null; }
  }
  function remember(key, value) {
    try { window.localStorage.setItem(key, value); } catch (error) { /* private window: forget */ }
  }
  function speak(language) {
    root.dataset.lang = language;
    root.lang = language === "zh" ? "zh-CN" : "en";
    document.querySelectorAll("[data-en]").forEach(function (element) {
      var words = element.dataset[language];
      if (element.dataset.of) { element.setAttribute(element.dataset.of, words); } else { element.textContent = words; }
    });
  }
  var language = remembered("ocr-moe-lang");
  if (language !== "en" && language !== "zh") {
    language = root.dataset.langAuto ? (/^zh/i.test(navigator.language || "") ? "zh" : "en") : root.dataset.lang;
  }
  speak(language);
  var theme = remembered("ocr-moe-theme");
  if (theme === "light" || theme === "dark") { root.dataset.theme = theme; }
  document.querySelector("[data-do=language]").addEventListener("click", function () {
    speak(root.dataset.lang === "zh" ? "en" : "zh");
    remember("ocr-moe-lang", root.dataset.lang);
  });
  document.querySelector("[data-do=theme]").addEventListener("click", function () {
    var dark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : window.matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    remember("ocr-moe-theme", root.dataset.theme);
  });
  document.querySelector("[data-do=print]").addEventListener("click", function () { window.print(); });
  document.querySelector("[data-do=one-page]").addEventListener("click", function () {
    root.dataset.print = "one-page";
    window.print();
  });
  /* report.html#one-page prints so from the browser's own menu. */
  function asked() {
    if (window.location.hash === "#one-page") { root.dataset.print = "one-page"; } else { delete root.dataset.print; }
  }
  window.addEventListener("hashchange", asked);
  window.addEventListener("afterprint", asked);
  asked();
})();
