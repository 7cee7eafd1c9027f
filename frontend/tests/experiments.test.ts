import { describe, expect, it } from "vitest";
import { barrierNote, labelPlace } from "../src/experiments/curve";
import { commandOf, hint } from "../src/experiments/keys";
import { FIRST_SORT, readView, writeView } from "../src/experiments/address";
import { levelStep } from "../src/experiments/curve";
import { datasetLabel } from "../src/experiments/filters";
import { detailYaml, promoteCommand, streamHref } from "../src/experiments/leave";
import { endsOutside, pnlSeries } from "../src/experiments/pnl";
import { emptied, failed } from "../src/experiments/states";
import { pText } from "../src/experiments/table";
import { netMarks, netScale, place } from "../src/lib/netScale";
import { NO_FILTER, byVerdict, clears, filterRows, intervalText, parameterText, sortRows, varyingParameters } from "../src/lib/runs";
import { sentence, standing } from "../src/lib/standing";
import { ApiError } from "../src/stream/api";
import type { RunDetail, RunRow, RunTrades } from "../src/wire.generated";

const row = (change: Partial<RunRow> = {}): RunRow =>
  ({
    run_id: "7c41e09a3b5d2f18", signal: "ads", experiment: "sweep_a", dataset_id: "MNQH6_20260206_0925_1025__base__0123456789ab",
    symbol: "MNQH6", dt: "2026-02-06", day_role: "whole", tick_dollars: 0.5, min_signals: 5, parameters: { zscore_window_bins: 300, d1_weight: 1 }, cooldown_bins: 20, tp_ticks: 8, sl_ticks: 4,
    entry_delay_bins: 1, max_hold_bins: 1200, fee_ticks: 0.25, fill: "mid", sweep_address: "aa", verdict: "not_significant",
    threshold: 0.2, n_signals: 60, n_up_tp: 4, n_up_sl: 3, n_down_tp: 3, n_down_sl: 2, break_even_rate: 1 / 3,
    net_mean_pnl_ticks: 1.43, net_mean_low_ticks: 0.2, net_mean_high_ticks: 2.66,
    p_value: 0.046, p_holm: 1, deflated_sharpe: 0.2, n_trials: 384, spa_p_value: null, ...change,
  }) as RunRow;

describe("intervals", () => {
  it("clear 0 when they lie wholly above it, whatever share of the trades reached take-profit", () => {
    expect(clears(row({ barrier_tp_rate: 0.1, barrier_tp_rate_high: 0.2 }))).toBe(true);
    expect(clears(row({ net_mean_low_ticks: 0, barrier_tp_rate_low: 0.9 }))).toBe(false);
    expect(clears(row({ net_mean_low_ticks: null }))).toBe(false);
    expect(intervalText(row({ net_mean_low_ticks: -0.41 }))).toBe("−0.41 to +2.66");
    expect(intervalText(row({ net_mean_low_ticks: null }))).toBe("");
  });

  it("are drawn in ticks with 0 in sight, also where all lie on one side of it", () => {
    const above = netScale([row(), row({ net_mean_low_ticks: 1, net_mean_high_ticks: 3 })]);
    expect(above.low).toBeLessThan(0);
    expect(above.high).toBeGreaterThan(3);
    expect(place(0, above)).toBeGreaterThan(0);
    const below = netScale([row({ net_mean_low_ticks: -3, net_mean_high_ticks: -1 })]);
    expect(place(0, below)).toBeLessThan(100);
    expect(netMarks(above, 300)).toEqual([0.5, 1, 1.5, 2, 2.5, 3]);
    expect(netMarks(netScale([row({ net_mean_low_ticks: -40, net_mean_high_ticks: 60 })]), 120)).toEqual([50]);
  });

  it("do not let a few wide ones set the scale, and leave room around narrow ones", () => {
    const many = Array.from({ length: 99 }, () => row());
    expect(netScale([...many, row({ net_mean_low_ticks: -30, net_mean_high_ticks: 40 })]).high).toBeLessThan(3);
    const tight = netScale([row({ net_mean_low_ticks: -0.01, net_mean_high_ticks: 0.01 })]);
    expect(tight.high - tight.low).toBeCloseTo(1.1, 9);
    expect(netScale([row({ net_mean_low_ticks: null, net_mean_high_ticks: null })])).toEqual({ low: -0.5, high: 0.5 });
  });

  it("of a rate say how many of the trades it speaks of", () => {
    expect(barrierNote(row())).toBe("of 20.0 % of trades");
  });
});

describe("sorting and filtering", () => {
  it("keeps rows without a value last in both directions", () => {
    const rows = [row({ run_id: "a", p_value: null }), row({ run_id: "b", p_value: 0.5 }), row({ run_id: "c", p_value: 0.1 })];
    const ids = (descending: boolean): string => sortRows(rows, { key: "p_value", descending }).map((r) => r.run_id).join("");
    expect([ids(false), ids(true)]).toEqual(["cba", "bca"]);
  });

  it("finds words in signal, id, experiment and parameters", () => {
    const rows = [row(), row({ signal: "jad", run_id: "ffff000000000000" })];
    const count = (text: string): number => filterRows(rows, { ...NO_FILTER, text }).length;
    expect([count("ads"), count("z 300"), count("jad ffff"), count("jad 7c41"), count("")]).toEqual([1, 2, 1, 0, 2]);
  });

  it("filters by barriers, trades and verdict", () => {
    const rows = [row(), row({ tp_ticks: 4, n_signals: 3 }), row({ verdict: "significant" })];
    expect(filterRows(rows, { ...NO_FILTER, minSignals: 0, barriers: "tp 4, sl 4" })).toHaveLength(1);
    expect(filterRows(rows, NO_FILTER)).toHaveLength(2);
    const withTest = [...rows, { ...rows[0], day_role: "test" }];
    expect(filterRows(withTest, NO_FILTER)).toHaveLength(2);
    const better = [row({ day_role: "test", net_mean_pnl_ticks: 9 }), row({ net_mean_pnl_ticks: 1 }), row({ net_mean_pnl_ticks: 2 })];
    expect(sortRows(better, FIRST_SORT).map((each) => each.net_mean_pnl_ticks)).toEqual([2, 1, 9]);
    expect(filterRows(withTest, { ...NO_FILTER, testDays: true })).toHaveLength(3);
    expect(byVerdict(rows, { ...NO_FILTER, verdict: "significant" })).toHaveLength(1);
  });

  it("names only the parameters that differ among a signal's runs", () => {
    const rows = [row(), row({ parameters: { zscore_window_bins: 120, d1_weight: 1 } }), row({ signal: "jad" })];
    expect(parameterText(rows[0], varyingParameters(rows).get("ads"))).toBe("z 300");
    expect(parameterText(rows[2], varyingParameters(rows).get("jad"))).toBe("defaults");
    expect(parameterText(rows[0])).toBe("z 300 · d1 1 · tp/sl 8/4 · cd 20 · delay 1 · hold 1200 · fee 0.25 · fill mid");
    const cooled = [row(), row({ cooldown_bins: 60, tp_ticks: 4 })];
    expect(parameterText(cooled[1], varyingParameters(cooled).get("ads"))).toBe("tp/sl 4/4 · cd 60");
  });
});

describe("the whole set", () => {
  const title = (rows: RunRow[]): string => sentence(standing(rows)).title;

  it("is told first: nothing, something by SPA, or what survives", () => {
    expect(title([row(), row()])).toBe("Nothing survives correction for 384 trials");
    const spa = [row({ spa_p_value: 0.011 }), row({ sweep_address: "bb", experiment: "sweep_b", spa_p_value: 0.6 })];
    expect(title(spa)).toBe("No single row survives correction for 2 sweeps of up to 384 trials");
    expect(sentence(standing(spa)).text).toContain("something in sweep_a is unlikely to be luck");
    expect(title([row(), row({ verdict: "significant", p_holm: 0.01 })])).toBe("1 row survives correction for 384 trials");
    expect(title([row({ p_holm: null, verdict: "too_few" })])).toBe("No row can be judged");
  });

  it("counts the intervals above 0 beside what chance would give", () => {
    const rows = [...Array.from({ length: 79 }, () => row({ net_mean_low_ticks: -0.2 })), row()];
    expect(standing(rows)).toMatchObject({ clearing: 1, clearingByChance: 2, bestHolm: 1, bestDeflated: 0.2, spa: null });
    expect(standing([])).toMatchObject({ trials: 0, spa: null, judged: 0 });
  });
});

describe("what the page says instead of a table", () => {
  const none = (): void => undefined;

  it("names the filter that emptied it", () => {
    const filter = { ...NO_FILTER, minSignals: 600 };
    expect(emptied([row()], filter, none)).toMatchObject({ title: "No run has n of 600 or more", lines: ["1 row is hidden by the filters.", "The largest has n = 60."] });
    expect(emptied([row()], { ...NO_FILTER, verdict: "significant" }, none).title).toBe("No run is significant after correction");
    expect(emptied([row()], { ...NO_FILTER, text: "nosuch" }, none).lines[1]).toContain("“nosuch”");
  });

  it("says what went wrong, with the code, and what to do", () => {
    expect(failed(new ApiError("gone", 0, "unreachable"), "host:1", none)).toMatchObject({ title: "No service answers", commands: ["vp-serve"], code: "unreachable" });
    expect(failed(new ApiError("results of sweep 12 cannot be read", 422, "bad_lake"), "h", none)).toMatchObject({
      lines: ["Results of sweep 12 cannot be read", expect.stringContaining("Run the experiment again")], code: "bad_lake · 422",
    });
    expect(failed(new ApiError("token", 401, "unauthorized"), "h", none).lines[0]).toContain("#token=");
    expect(failed(new TypeError("x"), "h", none).code).toBe("page");
  });
});

describe("the address of the page", () => {
  it("keeps the view, leaves defaults out, and is read back", () => {
    expect(writeView(NO_FILTER, FIRST_SORT, null)).toBe("");
    const filter = { ...NO_FILTER, text: "z 300", experiment: "sweep_a", minSignals: 20, verdict: "significant" as const, testDays: true };
    const sort = { key: "p_holm" as const, descending: false };
    const query = writeView(filter, sort, { run_id: "00ff", threshold: 0.15 });
    expect(readView(new URLSearchParams(query))).toEqual({ filter, sort, runId: "00ff", threshold: 0.15 });
  });

  it("takes nonsense for nothing", () => {
    const view = readView(new URLSearchParams("sort=luck&min_signals=-3&verdict=perhaps&threshold=much"));
    expect(view).toEqual({ filter: NO_FILTER, sort: FIRST_SORT, runId: null, threshold: null });
  });
});

describe("cumulative pnl", () => {
  const trades: RunTrades = {
    run_id: "00", threshold: 0.1, dataset_id: "d", start_ns: "1770388200000000000", bin_ns: 100_000_000, first_bin: 100, n_bins: 500,
    net_total_pnl_ticks: 6, fire_bin: [100, 210, 220], entry_bin: [101, 211, 221], exit_bin: [200, 300, 300], direction: [1, -1, 1],
    outcome: ["take_profit", "stop_loss", "timeout"], net_pnl_ticks: [8, -4, 2], cumulative_ticks: [8, 4, 6],
    no_edge: { confidence: 0.95, bin: [100, 300, 500], low: [0, -4, -10], high: [0, 4, 5] },
  };

  it("steps at exits, with all that end in a bin counted, and a band between its knots", () => {
    const { time, pnl, low, high, ended } = pnlSeries(trades);
    expect(time.map((second) => Math.round(10 * (second - time[0])))).toEqual([0, 100, 200, 400]);
    expect(time[0]).toBeCloseTo(1770388210, 6);
    expect(pnl).toEqual([0, 8, 6, 6]);
    expect(ended).toEqual([0, 1, 3, 3]);
    expect(low).toEqual([0, -2, -4, -10]);
    expect(high).toEqual([0, 2, 4, 5]);
  });

  it("says whether it ends outside of what no edge gives", () => {
    expect(endsOutside(pnlSeries(trades))).toBe(true);
    expect(endsOutside(pnlSeries({ ...trades, cumulative_ticks: [8, 4, 3] }))).toBe(false);
    expect(endsOutside(pnlSeries({ ...trades, no_edge: null }))).toBeNull();
    expect(pnlSeries({ ...trades, no_edge: null }).high).toEqual([null, null, null, null]);
  });
});

describe("figures", () => {
  it("show a p that rounds to zero as what it is below", () => {
    expect([pText(0.0004, 3), pText(0.0449, 2), pText(0, 3), pText(null, 3), pText(0.002, 2)]).toEqual(["<.001", "0.04", "0.000", "–", "<.01"]);
  });

  it("stand on round levels", () => {
    expect([60, 0.9, 7].map(levelStep)).toEqual([20, 0.5, 2]);
  });
});

describe("a run leaves the page", () => {
  const detail = { ...row(), rows: [], yaml: "name: best\n", best_threshold: 0.2, serving: "base", serving_spec: null } as unknown as RunDetail;

  it("as the address of its stream", () => {
    expect(streamHref("00ff", 0.15)).toBe("vacuum-pressure.html?run_id=00ff&threshold=0.15");
    expect(streamHref("00ff", null)).toBe("vacuum-pressure.html?run_id=00ff");
  });

  it("as YAML: the service's own for the best threshold, else the spec with the threshold chosen", () => {
    expect(detailYaml(detail, 0.2)).toBe("name: best\n");
    const spec = { name: "base", pipeline: "p", promoted: { run_id: "x" }, signal: null };
    const text = detailYaml({ ...detail, serving_spec: spec }, 0.1);
    expect(text).toContain("name: base_7c41e09a\npipeline: p\nsignal:\n  name: ads\n");
    expect(text).toContain("  threshold: 0.1\n");
    expect(text).not.toContain("promoted");
    expect(detailYaml(detail, 0.1)).toContain('run_id: "7c41e09a3b5d2f18"');
  });

  it("from the minute before a trade", () => {
    expect(streamHref("00ff", 0.15, 4100)).toBe("vacuum-pressure.html?run_id=00ff&threshold=0.15&from_bin=4100");
  });

  it("as the command that promotes it", () => {
    expect(promoteCommand(row())).toBe("vp promote sweep_a --run-id 7c41e09a3b5d2f18 --threshold 0.2");
  });

  it("with scoring of its own merged into the spec's, not among the signal's parameters", () => {
    const spec = { name: "base", pipeline: "p", scoring: { a: 1, b: 2 }, signal: null };
    const scored = { ...detail, serving_spec: spec, parameters: { d1_weight: 1, scoring: { b: 3 } } } as unknown as RunDetail;
    expect(detailYaml(scored, 0.1)).toContain("scoring:\n  a: 1\n  b: 3\n");
    expect(detailYaml(scored, 0.1)).toContain("  params:\n    d1_weight: 1\n  threshold");
  });

  it("with a dataset people can read", () => {
    expect(datasetLabel(row())).toBe("MNQH6 6 Feb 09:25");
  });
});

describe("keys of the experiments page", () => {
  it("mean one thing each", () => {
    const keys = ["ArrowDown", "j", "ArrowUp", "k", "[", "]", "Enter", "y", "g", "f", "m", "/", "w", "s", "d", "b", "n", "v", "1", "9", "Escape", "c", "t", "?"];
    const found = keys.map(commandOf);
    expect(found).not.toContain(undefined);
    expect(new Set(found).size).toBe(keys.length - 3); // two ways up, two down, nine columns
    expect(commandOf("x")).toBeUndefined();
  });

  it("stand in the tooltips", () => {
    expect(hint("stream")).toBe("Stream the run (Enter)");
    expect(hint("search", "Words")).toBe("Words (/)");
  });
});

describe("label of break-even", () => {
  it("keeps clear of the dots", () => {
    const falling = [{ x: 60, y: 20 }, { x: 160, y: 40 }, { x: 300, y: 66 }];
    expect(labelPlace(falling, 55, 330)).toEqual({ left: true, top: 64 });
    expect(labelPlace([{ x: 60, y: 66 }, { x: 300, y: 20 }], 55, 330)).toEqual({ left: false, top: 64 });
    expect(labelPlace([], 100, 330)).toEqual({ left: false, top: 91 });
  });
});
