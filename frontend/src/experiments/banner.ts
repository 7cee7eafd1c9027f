/** What the whole set is worth comes before any single row. */

import { el, setHidden, setText } from "../lib/dom";
import { DASH, fixed } from "../lib/format";
import { ALPHA, type Standing, sentence, standing } from "../lib/standing";
import type { RunRow } from "../wire.generated";
import { pText } from "./table";

export class Banner {
  readonly root = el("section", { class: "banner", hidden: true, "aria-live": "polite" });
  readonly #title = el("h2");
  readonly #text = el("p", { class: "second" });
  readonly #figures = el("div", { class: "banner-figures" });

  constructor() {
    this.root.append(el("div", {}, this.#title, this.#text), this.#figures);
  }

  render(rows: readonly RunRow[]): Standing {
    const all = standing(rows);
    setHidden(this.root, rows.length === 0);
    if (rows.length === 0) return all;
    const { title, text } = sentence(all);
    setText(this.#title, title);
    setText(this.#text, text);
    this.root.classList.toggle("found", all.significant > 0);
    const figure = (label: string, value: string, note: string): HTMLElement =>
      el("div", { title: note }, el("span", { class: "third" }, label), el("b", { class: "num" }, value));
    const spa = all.sweeps > 1 ? "SPA p, best sweep" : "SPA p, whole sweep";
    this.#figures.replaceChildren(
      figure("Best Holm p", pText(all.bestHolm, 2), `Significant at ${ALPHA} or less`),
      figure("Best deflated Sharpe", all.bestDeflated === null ? DASH : fixed(all.bestDeflated, 2), "0.95 would be needed"),
      figure(spa, pText(all.spa, 2), all.spa === null ? "The capture is too short for it: under 20 holding times" : "Hansen's SPA: chance that the best row of the sweep is luck"),
    );
    return all;
  }
}
