/** One run: figures of the chosen threshold, all thresholds, outcomes, pnl over the capture, parameters, ways out. */

import { copyText, el, setHidden, setText } from "../lib/dom";
import { DASH, fixed, signed, thresholdText } from "../lib/format";
import { VERDICT_TEXT, intervalText, parameterText } from "../lib/runs";
import type { RunDetail, RunLinks, RunRow, RunTrades } from "../wire.generated";
import { ThresholdCurve } from "./curve";
import { hint } from "./keys";
import { detailYaml, promoteCommand, streamHref } from "./leave";
import { Outcomes } from "./outcomes";
import { PnlChart } from "./pnl";
import { pText } from "./table";

/** A name that may break after its underscores. */
function breakable(name: string): (string | HTMLElement)[] {
  return name.split(/(?<=_)/).flatMap((part, i) => (i === 0 ? [part] : [el("wbr"), part]));
}

/** What a day is for in its experiment, as its sweep has stored it. */
const DAY_ROLE: Record<string, string> = {
  train: "a train day: chosen on", test: "a test day: reports, has no say", whole: "no split of days", "": "role not stored (older version)",
};
/** A name and its value share a line with another pair up to this many characters. */
const PAIR_CHARACTERS = 21;
const DEFLATED_NEEDS = 0.95;
/** A trade is opened with a minute of the market before it. */
const BEFORE_NS = 60_000_000_000;

export interface DetailHandlers {
  onPick(runId: string, threshold: number): void;
  onHover(threshold: number | null): void;
}

/** What has come of a run so far. `trades` is a text while there is no chart: on its way, or why there is none. */
export interface Loaded {
  detail: RunDetail | null;
  links: RunLinks | null;
  trades: RunTrades | string;
}

/** A button whose word says for a moment what came of it. */
function copyButton(label: string, className: string, text: () => string | null, title: string): HTMLButtonElement {
  const button = el(
    "button",
    {
      type: "button", class: className, title,
      onclick: async () => {
        const content = text();
        if (content === null) return;
        setText(button, (await copyText(content)) ? "Copied" : "Copy failed");
        window.setTimeout(() => setText(button, label), 1500);
      },
    },
    label,
  );
  return button;
}

export class Detail {
  readonly root: HTMLElement;
  readonly #name = el("h1");
  readonly #tag = el("span", { class: "tag" });
  readonly #what = el("p", { class: "second" });
  readonly #id: HTMLButtonElement;
  readonly #stream = el("a", { class: "button primary", title: hint("stream") }, "▶ Stream this run");
  readonly #copy: HTMLButtonElement;
  readonly #dagster = el("a", { class: "button", target: "_blank", rel: "noopener" }, "Open in Dagster ↗");
  readonly #mlflow = el("a", { class: "button", target: "_blank", rel: "noopener" }, "Open in MLflow ↗");
  readonly #why = el("p", { class: "warn", hidden: true });
  readonly #verdict = el("p", { class: "verdict-text" });
  readonly #promoted = el("p", { class: "second", hidden: true });
  readonly #figures = el("div", { class: "figures" });
  readonly #curve: ThresholdCurve;
  readonly #outcomes = new Outcomes();
  readonly #pnl: PnlChart;
  readonly #parameters = el("dl", { class: "parameters" });
  readonly #where = el("dl", { class: "parameters wide" });
  readonly #command = el("code");
  #row: RunRow | null = null;
  #run: readonly RunRow[] = [];
  #detail: RunDetail | null = null;
  #drawn: RunTrades | string | null = null;

  constructor({ onPick, onHover }: DetailHandlers) {
    this.#curve = new ThresholdCurve((threshold) => {
      if (this.#row) onPick(this.#row.run_id, threshold);
    }, onHover);
    this.#pnl = new PnlChart((bin) => {
      if (!this.#row || typeof this.#drawn !== "object" || !this.#drawn) return;
      window.location.href = streamHref(this.#row.run_id, this.#row.threshold, Math.max(0, bin - Math.round(BEFORE_NS / this.#drawn.bin_ns)));
    });
    this.#pnl.root.title = "Click to stream from a minute before a trade";
    this.#copy = copyButton("Copy YAML", "button", () => (this.#detail ? detailYaml(this.#detail, this.#row?.threshold ?? null) : null), hint("copy", "The run as a serving spec"));
    this.#id = copyButton("", "id third", () => this.#row?.run_id ?? null, "Copy the run's id");
    const promote = copyButton("Copy", "copy", () => this.#command.textContent, "Copy the command");
    this.root = el(
      "aside", { class: "detail", "aria-label": "Run" },
      el(
        "section", {},
        el("header", {}, this.#name, this.#tag), el("header", {}, this.#what, this.#id),
        el("div", { class: "actions" }, this.#stream, this.#copy, this.#dagster, this.#mlflow), this.#why, this.#promoted,
      ),
      el("section", {}, this.#figures, this.#verdict),
      this.#curve.root, this.#outcomes.root, this.#pnl.root,
      el(
        "section", {}, el("header", {}, el("h2", {}, "Parameters")), this.#parameters, this.#where,
        el("div", { class: "command" }, this.#command, promote),
      ),
    );
  }

  /** Show a row at once with all thresholds of its run, rising, and what else belongs to it as it comes. */
  render(row: RunRow | null, run: readonly RunRow[], { detail, links, trades }: Loaded): void {
    this.#row = row;
    this.#run = run;
    this.#detail = detail;
    setHidden(this.root, row === null);
    if (!row) return;
    setText(this.#name, row.signal);
    setText(this.#tag, VERDICT_TEXT[row.verdict]);
    this.#tag.className = `tag mark-${row.verdict}`;
    const what = `θ ${thresholdText(row.threshold)} · tp ${row.tp_ticks}, sl ${row.sl_ticks} · cd ${row.cooldown_bins}`;
    setText(this.#what, what);
    this.#what.title = parameterText(row);
    setText(this.#id, row.run_id);
    this.#renderWays(row, links);
    this.#renderFigures(row);
    const own = detail?.rows.find((other) => other.threshold === row.threshold);
    setText(this.#verdict, own?.verdict_text ?? "");
    this.#outcomes.render(row);
    this.#curve.render(run, row.threshold);
    if (trades !== this.#drawn) {
      this.#drawn = trades;
      if (typeof trades === "string") this.#pnl.say(trades);
      else this.#pnl.render(trades);
    }
    this.#renderParameters(row);
  }

  /** Draw the charts again with the colours of the theme on screen. */
  repaint(): void {
    this.#pnl.repaint();
    if (this.#row) this.#curve.render(this.#run, this.#row.threshold);
  }

  /** Point at a threshold of the run from the table. */
  link(threshold: number | null): void {
    this.#curve.link(threshold);
  }

  /** Open the run in Dagster or MLflow, where there is a way. */
  leave(to: "dagster" | "mlflow"): void {
    const way = to === "dagster" ? this.#dagster : this.#mlflow;
    if (way.hasAttribute("href")) way.click();
  }

  /** Thresholds by the other measure. */
  toggleMetric(): void {
    this.#curve.toggle();
  }

  /** Press "Copy YAML". */
  copyYaml(): void {
    this.#copy.click();
  }

  #renderWays(row: RunRow, links: RunLinks | null): void {
    const way = (node: HTMLAnchorElement, href: string | null, title: string): void => {
      node.classList.toggle("off", href === null);
      node.setAttribute("aria-disabled", String(href === null));
      node.title = title;
      if (href === null) node.removeAttribute("href");
      else node.href = href;
    };
    const can = this.#detail?.can_stream ?? row.can_stream;
    const reason = this.#detail?.reason ?? row.reason;
    way(this.#stream, can ? streamHref(row.run_id, row.threshold) : null, can ? hint("stream", "Replay the capture with this signal") : "It cannot be streamed");
    way(this.#dagster, links?.dagster ?? null, links ? (links.dagster_reason ?? hint("dagster", "The sweep's asset on its day")) : "");
    way(this.#mlflow, links?.mlflow ?? null, links ? (links.mlflow_reason ?? hint("mlflow", "The sweep's tracked run")) : "");
    setText(this.#why, can ? "" : `Cannot be streamed: ${reason ?? "its data are not in this lake"}`);
    setHidden(this.#why, can);
    const specs = this.#detail?.promoted ?? [];
    setHidden(this.#promoted, specs.length === 0);
    const names = specs.map((spec) => el("a", { href: `vacuum-pressure.html?serving=${encodeURIComponent(spec.name)}`, title: `Threshold ${spec.threshold}` }, spec.name));
    const days = [...new Set(specs.map((spec) => spec.days_text))];
    this.#promoted.replaceChildren(
      "Promoted as ", ...names.flatMap((name, i) => (i === 0 ? [name] : [", ", name])), `. ${days.join(" ")}`,
    );
  }

  #renderFigures(row: RunRow): void {
    const text = (value: number | null, digits: number, show = fixed): string => (value === null ? DASH : show(value, digits));
    const figure = (label: string, value: string, note: string): HTMLElement =>
      el("div", {}, el("span", { class: "third" }, label), el("b", { class: "num" }, value), el("span", { class: "third num" }, note));
    this.#figures.replaceChildren(
      figure("Net per trade", text(row.net_mean_pnl_ticks, 2, signed), intervalText(row)),
      figure("Net in all", text(row.net_total_pnl_ticks, 1, signed), "ticks"),
      figure("p", pText(row.p_value, 3), `Holm ${pText(row.p_holm, 2)}`),
      figure("Defl. Sharpe", text(row.deflated_sharpe, 2), `needs ${DEFLATED_NEEDS}`),
    );
  }

  #renderParameters(row: RunRow): void {
    const pairs = (source: Record<string, unknown>): HTMLElement[] =>
      Object.entries(source).flatMap(([key, value]) => {
        const text = typeof value === "number" ? String(Number(value.toPrecision(6))) : JSON.stringify(value);
        const bare = text.replaceAll('"', "");
        const wide = key.length + bare.length > PAIR_CHARACTERS;
        return [el("div", { class: wide ? "wide" : "", title: `${key}: ${bare}` }, el("dt", {}, ...breakable(key)), el("dd", {}, bare))];
      });
    this.#parameters.replaceChildren(...pairs({ threshold: row.threshold, ...row.parameters, ...row.evaluation }));
    this.#where.replaceChildren(
      ...pairs({
        experiment: row.experiment, serving: row.serving, dataset: row.dataset_id, sweep: row.sweep_address.slice(0, 16),
        day: `${row.dt}, ${DAY_ROLE[row.day_role] ?? DAY_ROLE[""]}`, "tick in $": row.tick_dollars ?? "unknown",
      }),
    );
    setText(this.#command, promoteCommand(row));
  }
}
