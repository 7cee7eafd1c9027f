// Before the first paint, so that no page flashes in the other theme: dark, unless light was chosen, or the system's
// was chosen and that is light. src/lib/theme.ts writes the choice.
(() => {
  let choice = "dark";
  try {
    choice = localStorage.getItem("vp_theme") ?? "dark";
  } catch {
    // storage is closed to this page
  }
  const light = choice === "light" || (choice === "system" && matchMedia("(prefers-color-scheme: light)").matches);
  document.documentElement.dataset.theme = light ? "light" : "dark";
})();
