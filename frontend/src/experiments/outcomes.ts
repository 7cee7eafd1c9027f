/** How a row's trades ended, by side. */

import { el, setText } from "../lib/dom";
import { age, count, fixed } from "../lib/format";
import type { RunRow } from "../wire.generated";

const ENDS = [["tp", "take profit"], ["timeout", "timeout"], ["sl", "stop"]] as const;

function bar(label: string, parts: readonly [number, number, number], most: number): HTMLElement {
  const total = parts[0] + parts[1] + parts[2];
  const pieces = ENDS.map(([tone, word], i) => {
    if (parts[i] === 0) return null;
    const share = `${fixed((100 * parts[i]) / total, 1)} %`;
    const node = el("i", { class: tone, title: `${label}: ${count(parts[i])} of ${count(total)} ended at ${word}, ${share}` });
    node.append(parts[i] / Math.max(1, most) > 0.07 ? count(parts[i]) : "");
    node.style.flexGrow = String(parts[i]);
    return node;
  });
  const whole = el("div", { class: "outcome-bar" }, ...pieces);
  whole.style.width = `${(100 * total) / Math.max(1, most)}%`;
  const name = el("span", { class: "second" }, `${label} `, el("span", { class: "third num" }, count(total)));
  return el("div", { class: "outcome" }, name, el("div", {}, whole));
}

export class Outcomes {
  readonly root: HTMLElement;
  readonly #note = el("span", { class: "third num" });
  readonly #bars = el("div");

  constructor() {
    const key = ENDS.flatMap(([tone, word]) => [el("i", { class: tone }), word]);
    this.root = el("section", {}, el("header", {}, el("h2", {}, "Outcomes"), this.#note), this.#bars, el("p", { class: "outcome-key third" }, ...key));
  }

  render(row: RunRow): void {
    const most = Math.max(row.n_up, row.n_down);
    this.#bars.replaceChildren(
      bar("Up", [row.n_up_tp, row.n_up_timeout, row.n_up_sl], most),
      bar("Down", [row.n_down_tp, row.n_down_timeout, row.n_down_sl], most),
    );
    const median = row.median_time_to_outcome_ms;
    setText(this.#note, `${count(row.n_signals)} trades${median === null ? "" : `, median ${age(median / 1000)}`}`);
    this.#note.title = `${count(row.n_independent)} of them do not overlap; ${count(row.n_dropped)} firings had no valid book at the entry`;
  }
}
