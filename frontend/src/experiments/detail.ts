/** Detail of one run: figures of the chosen threshold, the curve, the outcomes, the parameters. */

import { copyText, el, setHidden, setText } from "../lib/dom";
import { DASH, age, count, fixed, signed, thresholdText } from "../lib/format";
import { VERDICT_TEXT, interval, parameterText, verdict } from "../lib/runs";
import { toYaml } from "../lib/yaml";
import type { RunDetail, RunRow } from "../wire.generated";
import { ThresholdCurve } from "./curve";

const DEFLATED_NEEDS = 0.95;

/** The run as a serving spec with the chosen threshold, or what is known of it when it carries none. */
export function detailYaml(detail: RunDetail, threshold: number | null): string {
  if (detail.yaml && threshold === detail.best_threshold) return detail.yaml;
  const signal = { name: detail.signal, params: detail.parameters, threshold, cooldown_bins: detail.cooldown_bins };
  if (!detail.serving_spec) return toYaml({ run_id: detail.run_id, dataset_id: detail.dataset_id, signal, eval: detail.evaluation });
  const { promoted: _, ...spec } = detail.serving_spec;
  return toYaml({ ...spec, name: `${detail.serving}_${detail.run_id.slice(0, 8)}`, signal });
}

/** Page that streams a run with a threshold. */
export function streamHref(runId: string, threshold: number | null): string {
  const query = new URLSearchParams({ run_id: runId });
  if (threshold !== null) query.set("threshold", String(threshold));
  return `vacuum-pressure.html?${query.toString()}`;
}

function outcomeBar(label: string, tp: number, timeout: number, sl: number, most: number): HTMLElement {
  const total = tp + timeout + sl;
  const part = (n: number, tone: string): HTMLElement | null => {
    if (n === 0) return null;
    const node = el("i", { class: tone }, n / Math.max(1, most) > 0.06 ? String(n) : "");
    node.style.flexGrow = String(n);
    return node;
  };
  const bar = el("div", { class: "outcome-bar" }, part(tp, "tp"), part(timeout, "timeout"), part(sl, "sl"));
  bar.style.width = `${(100 * total) / Math.max(1, most)}%`;
  const name = el("span", { class: "second" }, `${label} `, el("span", { class: "third" }, count(total)));
  return el("div", { class: "outcome" }, name, el("div", {}, bar));
}

export class Detail {
  readonly root: HTMLElement;
  readonly #name = el("h1");
  readonly #tag = el("span", { class: "tag" });
  readonly #what = el("p", { class: "second" });
  readonly #id = el("code", { class: "third" });
  readonly #stream = el("a", { class: "button primary" }, "▶ Stream this run");
  readonly #why = el("p", { class: "warn", hidden: true });
  readonly #figures = el("div", { class: "figures" });
  readonly #curve: ThresholdCurve;
  readonly #outcomeNote = el("span", { class: "third" });
  readonly #outcomes = el("div");
  readonly #parameters = el("dl", { class: "parameters" });
  readonly #where = el("dl", { class: "parameters wide" });
  #row: RunRow | null = null;
  #detail: RunDetail | null = null;

  constructor(onPick: (runId: string, threshold: number | null) => void) {
    this.#curve = new ThresholdCurve((threshold) => {
      if (this.#row) onPick(this.#row.run_id, threshold);
    });
    const copy = el(
      "button",
      {
        type: "button", class: "button",
        onclick: async () => {
          if (!this.#detail) return;
          const done = await copyText(detailYaml(this.#detail, this.#row?.threshold ?? null));
          setText(copy, done ? "Copied" : "Copy failed");
          window.setTimeout(() => setText(copy, "Copy YAML"), 1500);
        },
      },
      "Copy YAML",
    );
    const legend = el(
      "p", { class: "outcome-key third" },
      el("i", { class: "tp" }), "take profit", el("i", { class: "timeout" }), "timeout", el("i", { class: "sl" }), "stop",
    );
    this.root = el(
      "aside", { class: "detail", "aria-label": "Run" },
      el(
        "section", {},
        el("header", {}, this.#name, this.#tag), el("header", {}, this.#what, this.#id),
        el("div", { class: "actions" }, this.#stream, copy), this.#why,
      ),
      el("section", {}, this.#figures),
      el("section", {}, el("header", {}, el("h2", {}, "TP rate by threshold"), el("span", { class: "third" }, "%, 95 % band")), this.#curve.root),
      el("section", {}, el("header", {}, el("h2", {}, "Outcomes"), this.#outcomeNote), this.#outcomes, legend),
      el("section", {}, el("header", {}, el("h2", {}, "Parameters")), this.#parameters, this.#where),
    );
  }

  /** Show a row at once, and its detail when it has come. */
  render(row: RunRow | null, detail: RunDetail | null, minSignals: number): void {
    this.#row = row;
    this.#detail = detail?.run_id === row?.run_id ? detail : null;
    setHidden(this.root, row === null);
    if (!row) return;
    const kind = verdict(row, minSignals);
    setText(this.#name, row.signal);
    setText(this.#tag, VERDICT_TEXT[kind]);
    this.#tag.className = `tag mark-${kind}`;
    setText(this.#what, `θ ${thresholdText(row.threshold)} · ${parameterText(row, new Set())} · tp ${row.tp_ticks}, sl ${row.sl_ticks}`);
    setText(this.#id, row.run_id);
    this.#stream.href = streamHref(row.run_id, row.threshold);
    const can = this.#detail?.can_stream ?? row.can_stream;
    this.#stream.classList.toggle("off", !can);
    this.#stream.setAttribute("aria-disabled", String(!can));
    const why = can ? "" : (this.#detail?.reason ?? "Its data are not in this lake.");
    setText(this.#why, why);
    setHidden(this.#why, why === "");
    this.#renderFigures(row);
    this.#renderOutcomes(row);
    const points = this.#detail?.rows ?? [];
    setHidden(this.#curve.root, points.length === 0);
    if (points.length > 0) this.#curve.render(points, row.threshold);
    this.#renderParameters(row);
  }

  #renderFigures(row: RunRow): void {
    const span = interval(row);
    const text = (value: number | null, digits: number, show = fixed): string => (value === null ? DASH : show(value, digits));
    const figure = (label: string, value: string, note: string): HTMLElement =>
      el("div", {}, el("span", { class: "third" }, label), el("b", { class: "num" }, value), el("span", { class: "third num" }, note));
    const rate = row.tp_rate === null ? DASH : `${fixed(row.tp_rate * 100, 1)} %`;
    const range = span.low === null || span.high === null ? "" : `${fixed(span.low * 100, 1)} to ${fixed(span.high * 100, 1)}`;
    this.#figures.replaceChildren(
      figure("TP rate", rate, range),
      figure("Net per trade", text(row.net_mean_pnl_ticks, 2, signed), `ticks, total ${text(row.net_total_pnl_ticks, 1, signed)}`),
      figure("p", text(row.p_value, 3), `Holm ${text(row.p_holm, 2)}`),
      figure("Deflated Sharpe", text(row.deflated_sharpe, 2), `needs ${DEFLATED_NEEDS}`),
    );
  }

  #renderOutcomes(row: RunRow): void {
    const up = [row.n_up_tp, row.n_up_timeout, row.n_up_sl] as const;
    const down = [row.n_down_tp, row.n_down_timeout, row.n_down_sl] as const;
    const most = Math.max(row.n_up, row.n_down);
    this.#outcomes.replaceChildren(outcomeBar("Up", ...up, most), outcomeBar("Down", ...down, most));
    const median = row.median_time_to_outcome_ms;
    setText(this.#outcomeNote, `${count(row.n_signals)} trades${median === null ? "" : `, median ${age(median / 1000)}`}`);
  }

  #renderParameters(row: RunRow): void {
    const pairs = (source: Record<string, unknown>): HTMLElement[] =>
      Object.entries(source).flatMap(([key, value]) => {
        const text = typeof value === "number" ? String(Number(value.toPrecision(6))) : JSON.stringify(value);
        return [el("dt", { title: key }, key), el("dd", {}, text.replaceAll('"', ""))];
      });
    this.#parameters.replaceChildren(...pairs({ ...row.parameters, ...row.evaluation }));
    this.#where.replaceChildren(
      ...pairs({ experiment: row.experiment, serving: row.serving, dataset: row.dataset_id, sweep: row.sweep_address.slice(0, 16) }),
    );
  }
}
