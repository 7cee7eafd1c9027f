/** How somebody likes the pages: kept in this browser, never in the address. */

export type StripChoice = "signal" | "score" | "delta";
export const STRIP_CHOICES: readonly StripChoice[] = ["signal", "score", "delta"];

/** Parts of the page that can be put away. */
export const PARTS = ["quotes", "trades", "firings", "projection", "numerals", "key", "panel"] as const;
export type Part = (typeof PARTS)[number];

export interface Prefs {
  palette: string;
  strip: StripChoice;
  show: Record<Part, boolean>;
}

const KEY = "vp_view";

export function defaultPrefs(): Prefs {
  const show = Object.fromEntries(PARTS.map((part) => [part, true])) as Record<Part, boolean>;
  return { palette: "", strip: "signal", show };
}

/** What was kept, as far as it can be understood; the rest is the default. */
export function parsePrefs(text: string | null): Prefs {
  const prefs = defaultPrefs();
  let kept: unknown = null;
  try {
    kept = JSON.parse(text ?? "null");
  } catch {
    return prefs;
  }
  if (typeof kept !== "object" || kept === null) return prefs;
  const { palette, strip, show } = kept as Record<string, unknown>;
  if (typeof palette === "string") prefs.palette = palette;
  prefs.strip = STRIP_CHOICES.find((choice) => choice === strip) ?? prefs.strip;
  if (typeof show === "object" && show !== null) {
    for (const part of PARTS) {
      const value = (show as Record<string, unknown>)[part];
      if (typeof value === "boolean") prefs.show[part] = value;
    }
  }
  return prefs;
}

export function loadPrefs(): Prefs {
  try {
    return parsePrefs(localStorage.getItem(KEY));
  } catch {
    return defaultPrefs(); // storage is closed to this page
  }
}

export function savePrefs(prefs: Prefs): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(prefs));
  } catch {
    // it holds for this page only
  }
}

/** Call back when another tab of this browser chooses something. */
export function keptElsewhere(listener: (prefs: Prefs) => void): void {
  window.addEventListener("storage", (event) => {
    if (event.key === KEY) listener(parsePrefs(event.newValue));
  });
}
