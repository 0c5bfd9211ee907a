// theme.js: what must happen before the modules are there: the chosen theme before the first paint, so that nothing
// flashes; and another try if a module does not come, which would else leave the page empty for good.
(function () {
  try {
    const theme = localStorage.getItem("theme");
    if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage may be closed to us; then the system's theme it is.
  }
  addEventListener("error", (e) => {
    if (e.target.tagName !== "SCRIPT") return;
    document.getElementById("broken").hidden = false;
    setTimeout(() => location.reload(), 5000);
  }, true);
})();
