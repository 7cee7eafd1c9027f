/**
 * Dark, light, or as the system is set; dark until somebody chooses. What is shown stands in `data-theme` of the root
 * element, which styles/tokens.css reads; public/theme.js sets it before the first paint.
 */

export type Theme = "dark" | "light";
export type Choice = Theme | "system";

export const CHOICES: readonly Choice[] = ["dark", "light", "system"];
const KEY = "vp_theme";
const LIGHT = "(prefers-color-scheme: light)";

const listeners: ((theme: Theme) => void)[] = [];

/** Theme that a choice shows. */
export function themeOf(choice: Choice, systemIsLight: boolean): Theme {
  return choice === "light" || (choice === "system" && systemIsLight) ? "light" : "dark";
}

/** The choice after this one, around. */
export function nextChoice(choice: Choice): Choice {
  return CHOICES[(CHOICES.indexOf(choice) + 1) % CHOICES.length];
}

/** What was chosen. */
export function themeChoice(): Choice {
  let kept: string | null = null;
  try {
    kept = localStorage.getItem(KEY);
  } catch {
    return "dark"; // storage is closed to this page
  }
  return CHOICES.find((choice) => choice === kept) ?? "dark";
}

/** The theme on screen. */
export function shownTheme(): Theme {
  return typeof document !== "undefined" && document.documentElement.dataset.theme === "light" ? "light" : "dark";
}

/** Call back after every change of the theme on screen. */
export function onTheme(listener: (theme: Theme) => void): void {
  listeners.push(listener);
}

function show(choice: Choice): void {
  const theme = themeOf(choice, window.matchMedia(LIGHT).matches);
  if (theme === shownTheme()) return;
  document.documentElement.dataset.theme = theme;
  for (const listener of listeners) listener(theme);
}

/** Tell the listeners that colours changed though the theme did not. */
export function repaint(): void {
  for (const listener of listeners) listener(shownTheme());
}

/** Choose, keep the choice in this browser, and show it. */
export function chooseTheme(choice: Choice): void {
  try {
    localStorage.setItem(KEY, choice);
  } catch {
    // it holds for this page only
  }
  show(choice);
}

if (typeof window !== "undefined") {
  window.matchMedia(LIGHT).addEventListener("change", () => show(themeChoice()));
  window.addEventListener("storage", (event) => {
    if (event.key === KEY) show(themeChoice());
  });
}
