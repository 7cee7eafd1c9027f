/** Button that goes round the themes: dark, light, as the system. Key: t. */

import { el, icon, isTyping } from "../lib/dom";
import { type Choice, chooseTheme, nextChoice, themeChoice } from "../lib/theme";

const SHAPES: Record<Choice, string> = {
  dark: "M13.5 10A6 6 0 0 1 6 2.5 6 6 0 1 0 13.5 10z",
  light: "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM7.3 1h1.4v2.2H7.3zM7.3 12.8h1.4V15H7.3zM1 7.3h2.2v1.4H1zM12.8 7.3H15v1.4h-2.2zM2.6 3.6l1-1 1.5 1.6-1 1zM10.9 11.9l1-1 1.5 1.5-1 1zM2.6 12.4l1.5-1.5 1 1-1.5 1.5zM10.9 4.1l1.5-1.5 1 1-1.5 1.5z",
  system: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zm0 1.5v9a4.5 4.5 0 0 1 0-9z",
};
const WORDS: Record<Choice, string> = { dark: "dark", light: "light", system: "as the system" };

export function themeButton(): HTMLElement {
  const button = el("button", { type: "button", class: "theme-button" });
  const show = (): void => {
    const choice = themeChoice();
    const text = `Theme: ${WORDS[choice]}. Next: ${WORDS[nextChoice(choice)]} (T)`;
    button.replaceChildren(icon(SHAPES[choice]));
    button.title = text;
    button.setAttribute("aria-label", text);
  };
  const next = (): void => {
    chooseTheme(nextChoice(themeChoice()));
    show();
  };
  button.addEventListener("click", next);
  window.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() === "t" && !event.ctrlKey && !event.metaKey && !event.altKey && !isTyping(event.target)) next();
  });
  show();
  return button;
}
