/** Keys of the experiments page, and the card that lists them. */

import { el, setHidden } from "../lib/dom";

export interface KeyActions {
  search(): void;
  table(): void;
  step(by: number): void;
  threshold(by: number): void;
  stream(): void;
  copy(): void;
  clear(): void;
  help(): void;
}

const LIST: readonly [string, string][] = [
  ["↑ ↓  or  j k", "Previous, next row"],
  ["Page ↑ ↓, Home, End", "Further, in the table"],
  ["[  ]", "Previous, next threshold of the run"],
  ["Enter", "Stream the run"],
  ["y", "Copy the run as YAML"],
  ["/", "Find"],
  ["Esc", "Clear the filters"],
  ["c", "Next palette"],
  ["t", "Theme: dark, light, as the system"],
  ["?", "This list"],
];

export function listenKeys(actions: KeyActions): void {
  window.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const target = event.target as HTMLElement;
    if (target.closest("input")) {
      if (event.key !== "Escape" && event.key !== "Enter" && event.key !== "ArrowDown") return;
      if (event.key === "Escape") actions.clear();
      target.blur();
      actions.table();
      event.preventDefault();
      return;
    }
    if (target.closest("select, textarea")) return;
    const onControl = target.closest("button, a") !== null;
    const known: Record<string, () => void> = {
      "/": actions.search, y: actions.copy, "?": actions.help, Escape: actions.clear,
      "[": () => actions.threshold(-1), "]": () => actions.threshold(1),
      j: () => actions.step(1), k: () => actions.step(-1), ArrowDown: () => actions.step(1), ArrowUp: () => actions.step(-1),
    };
    if (!onControl) known.Enter = actions.stream;
    const action = known[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}

export class KeyHelp {
  readonly button: HTMLButtonElement;
  readonly root: HTMLElement;

  constructor() {
    this.button = el("button", { type: "button", class: "theme-button", title: "Keys (?)", "aria-label": "Keys", onclick: () => this.toggle() }, "?");
    const list = LIST.flatMap(([key, does]) => [el("dt", {}, key), el("dd", {}, does)]);
    const close = el("button", { type: "button", class: "copy", onclick: () => this.toggle() }, "Close");
    this.root = el("div", { class: "key-help card", role: "dialog", "aria-label": "Keys", hidden: true }, el("h2", {}, "Keys"), el("dl", {}, ...list), close);
  }

  toggle(): void {
    setHidden(this.root, !this.root.hidden);
    if (!this.root.hidden) this.root.querySelector("button")?.focus();
    else this.button.focus();
  }
}
