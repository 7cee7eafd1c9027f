import { describe, expect, it } from "vitest";
import {
  NO_FILTER, byVerdict, clears, filterRows, interval, parameterText, rateScale, sortRows, standing, varyingParameters, verdict, wilson,
} from "../src/lib/runs";
import { datasetLabel } from "../src/experiments/filters";
import { detailYaml, streamHref } from "../src/experiments/detail";
import { pickStream } from "../src/stream/api";
import { verdictNote } from "../src/panel/signal";
import type { DatasetEntry, RunDetail, RunRow, ServingEntry } from "../src/wire.generated";

const row = (change: Partial<RunRow> = {}): RunRow =>
  ({
    run_id: "7c41e09a3b5d2f18", signal: "ads", experiment: "sweep_a", dataset_id: "MNQH6_20260206_0925_1025__base__0123456789ab",
    symbol: "MNQH6", dt: "2026-02-06", parameters: { zscore_window_bins: 300, d1_weight: 1 }, cooldown_bins: 20, tp_ticks: 8, sl_ticks: 4,
    threshold: 0.2, n_signals: 60, tp_rate: 0.475, tp_rate_low: 0.355, tp_rate_high: 0.598, break_even_rate: 1 / 3, net_mean_pnl_ticks: 1.43,
    p_value: 0.046, p_holm: 1, deflated_sharpe: 0.2, n_trials: 384, spa_p_value: null, ...change,
  }) as RunRow;

describe("verdicts", () => {
  it("need a corrected p", () => {
    expect(verdict(row(), 5)).toBe("not");
    expect(verdict(row({ p_holm: 0.049 }), 5)).toBe("significant");
    expect(verdict(row({ p_holm: null, p_value: 0.001 }), 5)).toBe("uncorrected");
    expect(verdict(row({ n_signals: 4, p_holm: 0.01 }), 5)).toBe("few");
  });

  it("stand apart from clearing break-even before correction", () => {
    expect(clears(row())).toBe(true);
    expect(clears(row({ tp_rate_low: 0.3 }))).toBe(false);
    expect(clears(row({ break_even_rate: null }))).toBe(false);
  });
});

describe("intervals", () => {
  it("are Wilson's where the service gives none", () => {
    const [low, high] = wilson(0.5, 10);
    expect(low).toBeCloseTo(0.2366, 4);
    expect(high).toBeCloseTo(0.7634, 4);
    expect(interval(row({ tp_rate_low: null })).low).toBeCloseTo(wilson(0.475, 60)[0], 12);
    expect(interval(row({ tp_rate: null, tp_rate_low: null }))).toEqual({ low: null, high: null });
  });

  it("set a scale in whole tenths that holds all of them", () => {
    expect(rateScale([row({ tp_rate_low: 0.12, tp_rate_high: 0.2, break_even_rate: 0.5 })])).toEqual({ low: 0.1, high: 0.5 });
    const tight = rateScale([row({ tp_rate_low: 0.42, tp_rate_high: 0.44, break_even_rate: 0.43 })]);
    expect(tight.high - tight.low).toBeCloseTo(0.3, 9);
    expect(rateScale([])).toEqual({ low: 0, high: 1 });
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
    const rows = [row(), row({ tp_ticks: 4, n_signals: 3 }), row({ p_holm: 0.01 })];
    expect(filterRows(rows, { ...NO_FILTER, minSignals: 0, barriers: "tp 4, sl 4" })).toHaveLength(1);
    expect(filterRows(rows, NO_FILTER)).toHaveLength(2);
    expect(byVerdict(rows, { ...NO_FILTER, verdict: "significant" })).toHaveLength(1);
  });

  it("names only the parameters that differ among a signal's runs", () => {
    const rows = [row(), row({ parameters: { zscore_window_bins: 120, d1_weight: 1 } }), row({ signal: "jad" })];
    expect(parameterText(rows[0], varyingParameters(rows).get("ads"))).toBe("z 300 · cd 20");
    expect(parameterText(rows[2], varyingParameters(rows).get("jad"))).toBe("cd 20");
    expect(parameterText(rows[0])).toBe("z 300 · d1 1 · cd 20");
  });
});

describe("standing", () => {
  it("says what survives correction", () => {
    expect(standing([row(), row({ p_holm: 0.03, deflated_sharpe: 0.9 })])).toEqual({
      trials: 384, significant: 1, corrected: true, bestHolm: 0.03, bestDeflated: 0.9, spa: null,
    });
    expect(standing([row({ p_holm: null })])).toMatchObject({ corrected: false, bestHolm: null });
    const a = row({ sweep_address: "aa", spa_p_value: 0.47 });
    expect(standing([a, a]).spa).toBe(0.47);
    expect(standing([a, row({ sweep_address: "bb", spa_p_value: 0.1 })]).spa).toBeNull();
    expect(standing([])).toMatchObject({ trials: 0, spa: null });
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

  it("with a dataset people can read", () => {
    expect(datasetLabel(row())).toBe("MNQH6 6 Feb 09:25");
  });
});

describe("what to stream when nothing is asked for", () => {
  const spec = (name: string, origin: "authored" | "promoted", can_stream = true): ServingEntry =>
    ({ name, origin, can_stream }) as ServingEntry;
  const data = (dataset_id: string, end_ns: string): DatasetEntry => ({ dataset_id, end_ns }) as DatasetEntry;

  it("is the newest promoted spec that can be streamed", () => {
    const specs = [spec("a", "promoted"), spec("b", "promoted"), spec("c", "promoted", false), spec("d", "authored")];
    expect(pickStream(specs, [])?.toString()).toBe("serving=b");
  });

  it("else the newest dataset, else an authored spec, else nothing", () => {
    const sets = [data("old", "1703545200000000000"), data("new", "1770390000000000000")];
    expect(pickStream([spec("d", "authored")], sets)?.toString()).toBe("dataset=new");
    expect(pickStream([spec("d", "authored")], [])?.toString()).toBe("serving=d");
    expect(pickStream([], [])).toBeNull();
  });
});

describe("the note on a promoted spec", () => {
  it("says what it was worth after correction", () => {
    expect(verdictNote({ figures: { p_holm: 1, n_trials: 384 } })).toMatch(/not significant, Holm p 1\.00 over 384 trials/);
    expect(verdictNote({ figures: { p_value: 0.04 } })).toMatch(/not corrected/);
    expect(verdictNote(null)).toBe("");
  });
});
