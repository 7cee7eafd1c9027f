/** Every key of the experiments page, once: the listener, the tooltips and the card that lists them read this table. */

import { el, setHidden } from "../lib/dom";
import { keyName } from "../stream/keys";

const COMMANDS = [
  { id: "next", keys: ["ArrowDown", "j"], text: "Next row" },
  { id: "previous", keys: ["ArrowUp", "k"], text: "Previous row; in the table also Page ↑ ↓, Home, End" },
  { id: "lower", keys: ["["], text: "Previous threshold of the run" },
  { id: "higher", keys: ["]"], text: "Next threshold of the run" },
  { id: "stream", keys: ["Enter"], text: "Stream the run" },
  { id: "copy", keys: ["y"], text: "Copy the run as YAML" },
  { id: "dagster", keys: ["g"], text: "Open its asset in Dagster" },
  { id: "mlflow", keys: ["f"], text: "Open its sweep in MLflow" },
  { id: "metric", keys: ["m"], text: "Thresholds by net pnl or TP rate" },
  { id: "search", keys: ["/"], text: "Find" },
  { id: "experiment", keys: ["w"], text: "Choose a sweep" },
  { id: "signal", keys: ["s"], text: "Choose a signal" },
  { id: "dataset", keys: ["d"], text: "Choose a dataset" },
  { id: "barriers", keys: ["b"], text: "Choose barriers" },
  { id: "least", keys: ["n"], text: "Least number of trades" },
  { id: "verdict", keys: ["v"], text: "All, significant, not significant" },
  { id: "sort", keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9"], text: "Sort by the column of that number" },
  { id: "clear", keys: ["Escape"], text: "Clear the filters" },
  { id: "palette", keys: ["c"], text: "Next palette" },
  { id: "theme", keys: ["t"], text: "Dark, light, as the system" },
  { id: "help", keys: ["?"], text: "These keys" },
] as const;

type CommandId = (typeof COMMANDS)[number]["id"];
/** The buttons of palette and theme listen for themselves. */
export type KeyActions = Record<Exclude<CommandId, "palette" | "theme">, (key: string) => void>;

/** Tooltip of a control: what it does and its key. */
export function hint(id: CommandId, text?: string): string {
  const command = COMMANDS.find((entry) => entry.id === id);
  return command ? `${text ?? command.text} (${keyName(command.keys[0])})` : (text ?? "");
}

/** The command of a key, undefined where it is nobody's. */
export function commandOf(key: string): CommandId | undefined {
  return COMMANDS.find(({ keys }) => (keys as readonly string[]).includes(key))?.id;
}

/** Listen on the whole page. Fields keep their keys but those that lead out of them, buttons and links keep Enter. */
export function listenKeys(actions: KeyActions, table: () => void): void {
  window.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const target = event.target as HTMLElement;
    const field = target.closest("input, select, textarea");
    // A letter on a closed list would choose by its first letter: it is the page's key there as everywhere.
    const letter = event.key.length === 1 && event.key !== " ";
    if (field && !(field.matches("select") && letter)) {
      const leads = event.key === "Escape" || (field.matches("input") && (event.key === "Enter" || event.key === "ArrowDown"));
      if (!leads) return;
      if (event.key === "Escape" && field.matches("input")) actions.clear(event.key);
      target.blur();
      table();
      event.preventDefault();
      return;
    }
    const id = commandOf(event.key);
    if (!id || id === "palette" || id === "theme") return;
    if (id === "stream" && target.closest("button, a")) return;
    event.preventDefault();
    actions[id](event.key);
  });
}

export class KeyHelp {
  readonly button: HTMLButtonElement;
  readonly root: HTMLElement;

  constructor() {
    this.button = el("button", { type: "button", class: "theme-button", title: hint("help", "Keys"), "aria-label": "Keys", onclick: () => this.toggle() }, "?");
    const list = COMMANDS.flatMap(({ keys, text }) => {
      const names = keys.length > 2 ? [keys[0], "…", keys[keys.length - 1]] : [...keys];
      return [el("dt", {}, names.map(keyName).join(" ")), el("dd", {}, text)];
    });
    const close = el("button", { type: "button", class: "copy", title: hint("help", "Close"), onclick: () => this.toggle() }, "Close");
    this.root = el("div", { class: "key-help card", role: "dialog", "aria-label": "Keys", hidden: true }, el("h2", {}, "Keys"), el("dl", {}, ...list), close);
  }

  get open(): boolean {
    return !this.root.hidden;
  }

  toggle(open = !this.open): void {
    setHidden(this.root, !open);
    if (open) this.root.querySelector("button")?.focus();
    else this.button.focus();
  }
}
