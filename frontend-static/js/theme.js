// theme.js: sets the chosen theme before the first paint, so that nothing flashes.
(function () {
  try {
    const theme = localStorage.getItem("theme");
    if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage may be closed to us; then the system's theme it is.
  }
})();
