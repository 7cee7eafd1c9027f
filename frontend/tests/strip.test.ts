import { describe, expect, it } from "vitest";
import { type BinScalars, BinLog, NO_TICK } from "../src/lib/bins";
import { type StripSource, stripReach } from "../src/view/strip";

function log(signals: readonly number[]): BinLog {
  const bins = new BinLog(100);
  signals.forEach((signal, seq) => {
    const bin: BinScalars = {
      seq, valid: true, spotTick: 10, bidTick: 10, askTick: NO_TICK, mid: 1, buyVolume: 0, sellVolume: 0, score: 0, ready: true,
      dominant: 0, signal, fired: 0,
    };
    bins.push(bin);
  });
  return bins;
}

const source = (threshold: number | null, lots = false): StripSource => ({
  title: "", rule: "", threshold, spikes: false, lots, value: (bins, slot) => bins.signal[slot],
});

describe("strip", () => {
  it("has room for what is in view, by few round steps", () => {
    const bins = log([0.02, -0.42, 0.3]);
    expect(stripReach(source(null), bins, 0, 0)).toBe(0.1);
    expect(stripReach(source(null), bins, 0, 2)).toBe(0.5);
    expect(stripReach(source(null), log([3.2]), 0, 0)).toBe(5);
    expect(stripReach(source(null, true), log([-17]), 0, 0)).toBe(20);
  });

  it("always has room for the threshold, and rests at 1 while nothing is known", () => {
    expect(stripReach(source(0.2), log([0.02]), 0, 0)).toBe(0.5);
    expect(stripReach(source(null), log([]), 0, 0)).toBe(1);
    expect(stripReach(source(null), log([Number.NaN]), 0, 0)).toBe(1);
  });
});
