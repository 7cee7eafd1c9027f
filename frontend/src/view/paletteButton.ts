/** Button that goes round the palettes, the same choice as the stream page's View menu. Key: c. */

import { el, isTyping } from "../lib/dom";
import { choosePalette, nextPalette, shownPalette } from "../lib/palettes";
import { keptElsewhere, loadPrefs, savePrefs } from "../lib/prefs";

export function paletteButton(): HTMLElement {
  const pair = el("span", { class: "pair", "aria-hidden": "true" }, el("i"), el("i"));
  const button = el("button", { type: "button", class: "theme-button" }, pair);
  const show = (id: string): void => {
    choosePalette(id);
    const { id: shown, name } = shownPalette();
    const text = `Colours: ${name.toLowerCase()}. Next: ${nextPalette(shown).name.toLowerCase()} (C)`;
    button.title = text;
    button.setAttribute("aria-label", text);
  };
  const next = (): void => {
    const { id } = nextPalette(shownPalette().id);
    savePrefs({ ...loadPrefs(), palette: id });
    show(id);
  };
  button.addEventListener("click", next);
  window.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() === "c" && !event.ctrlKey && !event.metaKey && !event.altKey && !isTyping(event.target)) next();
  });
  keptElsewhere((prefs) => show(prefs.palette));
  show(loadPrefs().palette);
  return button;
}
