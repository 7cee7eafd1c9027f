/** Popover of the View button: palette, theme, what is shown, and the trace under the map. */

import { buildLut, lutGradient } from "../lib/colour";
import { el, setHidden } from "../lib/dom";
import { PALETTES } from "../lib/palettes";
import { PARTS, type Part, type Prefs, STRIP_CHOICES, type StripChoice } from "../lib/prefs";
import { CHOICES, chooseTheme, onTheme, shownTheme, themeChoice } from "../lib/theme";
import { hint } from "../stream/keys";

export interface ViewHandlers {
  onPalette(id: string): void;
  onStrip(choice: StripChoice): void;
  onPart(part: Part, shown: boolean): void;
  /** The menu was closed: the keyboard is the map's again. */
  onLeave(): void;
}

const PART_TEXT: Record<Part, string> = {
  quotes: "Quotes", trades: "Trades", firings: "Firings", projection: "Projection", numerals: "Depth in numbers",
  key: "Key of the strokes", panel: "Readings",
};
const STRIP_TEXT: Record<StripChoice, string> = { signal: "Signal", score: "State model", delta: "Bought − sold" };
const THEME_TEXT = { dark: "Dark", light: "Light", system: "System" } as const;

interface Choice {
  input: HTMLInputElement;
  label: HTMLElement;
}

function choice(type: "radio" | "checkbox", name: string, value: string, text: string, onPick: (on: boolean) => void, extra?: HTMLElement): Choice {
  const input = el("input", { type, name, value, onchange: () => onPick(input.checked) });
  return { input, label: el("label", { class: "choice-row" }, input, el("span", {}, text), extra) };
}

export class ViewMenu {
  readonly button: HTMLButtonElement;
  readonly root: HTMLElement;
  readonly #palettes: Choice[];
  readonly #themes: Choice[];
  readonly #strips: Choice[];
  readonly #parts: Choice[];
  readonly #ramps: HTMLElement[];
  readonly #prefs: Prefs;
  readonly #leave: () => void;

  constructor(prefs: Prefs, handlers: ViewHandlers) {
    this.#prefs = prefs;
    this.#leave = () => handlers.onLeave();
    this.#ramps = PALETTES.map(() => el("i", { class: "palette-ramp" }));
    this.#palettes = PALETTES.map(({ id, name }, i) => choice("radio", "palette", id, name, () => handlers.onPalette(id), this.#ramps[i]));
    this.#themes = CHOICES.map((theme) => choice("radio", "theme", theme, THEME_TEXT[theme], () => chooseTheme(theme)));
    this.#strips = STRIP_CHOICES.map((strip) => choice("radio", "strip", strip, STRIP_TEXT[strip], () => handlers.onStrip(strip)));
    this.#parts = PARTS.map((part) => choice("checkbox", "part", part, PART_TEXT[part], (on) => handlers.onPart(part, on)));
    const group = (title: string, choices: Choice[], text: string): HTMLElement =>
      el("fieldset", { title: text }, el("legend", {}, title), ...choices.map(({ label }) => label));
    this.root = el(
      "div", { class: "popover", role: "dialog", "aria-label": "View", hidden: true },
      group("Colours", this.#palettes, hint("palette")), group("Theme", this.#themes, hint("theme")),
      group("Under the map", this.#strips, hint("strip")), group("Shown", this.#parts, "What is drawn"),
    );
    this.button = el(
      "button",
      { type: "button", class: "button quiet", title: hint("view"), "aria-expanded": "false", onclick: () => this.toggle() },
      "View",
    );
    document.addEventListener("pointerdown", (event) => {
      const target = event.target as Node;
      if (this.open && !this.root.contains(target) && !this.button.contains(target)) this.toggle(false);
    });
    onTheme(() => this.render());
  }

  get open(): boolean {
    return !this.root.hidden;
  }

  toggle(open = !this.open): void {
    if (open === this.open) return;
    setHidden(this.root, !open);
    this.button.setAttribute("aria-expanded", String(open));
    if (!open) {
      this.#leave();
      return;
    }
    this.render();
    this.#palettes.find(({ input }) => input.checked)?.input.focus();
  }

  /** Show what is chosen. */
  render(): void {
    if (!this.open) return;
    const { palette, strip, show } = this.#prefs;
    PALETTES.forEach(({ id, themes }, i) => {
      this.#palettes[i].input.checked = id === palette || (i === 0 && !PALETTES.some((entry) => entry.id === palette));
      this.#ramps[i].style.background = lutGradient(buildLut(themes[shownTheme()].diverging));
    });
    CHOICES.forEach((theme, i) => {
      this.#themes[i].input.checked = theme === themeChoice();
    });
    STRIP_CHOICES.forEach((entry, i) => {
      this.#strips[i].input.checked = entry === strip;
    });
    PARTS.forEach((part, i) => {
      this.#parts[i].input.checked = show[part];
    });
  }
}
