import { describe, expect, it } from "vitest";
import { BinLog, type BinScalars, NO_TICK } from "../src/lib/bins";

const bin = (seq: number, change: Partial<BinScalars> = {}): BinScalars => ({
  seq, valid: true, spotTick: 100, bidTick: 99, askTick: 100, mid: 24.875, buyVolume: 0, sellVolume: 0, score: 0, ready: true,
  dominant: 0, signal: Number.NaN, fired: 0, ...change,
});

function filled(capacity: number, seqs: number[]): BinLog {
  const log = new BinLog(capacity);
  for (const seq of seqs) log.push(bin(seq));
  return log;
}

describe("bin log", () => {
  it("forgets the oldest bins as it goes round", () => {
    const log = filled(4, [0, 1, 2, 3, 4, 5]);
    expect([log.first, log.last]).toEqual([2, 5]);
    expect(log.slotOf(1)).toBe(-1);
  });

  it("shows bins that never came as gaps, whole wherever the view cuts them", () => {
    const log = filled(16, [0, 1, 2, 3, 6]);
    expect(log.gaps(0, 6)).toEqual([{ kind: "missing", from: 4, to: 5 }]);
    expect(log.gaps(5, 5)).toEqual([{ kind: "missing", from: 4, to: 5 }]);
    expect(log.gaps(6, 9)).toEqual([]);
    expect(log.slotOf(4)).toBe(-1);
  });

  it("tells a missing bin from an invalid book", () => {
    const log = filled(16, [0, 1]);
    for (const seq of [4, 5]) log.push(bin(seq, { valid: false, spotTick: NO_TICK }));
    log.push(bin(6));
    expect(log.gaps(0, 9)).toEqual([
      { kind: "missing", from: 2, to: 3 },
      { kind: "invalid", from: 4, to: 5 },
    ]);
    expect([log.validSlot(4), log.validSlot(6)]).toEqual([-1, 6]);
  });

  it("goes back: later bins are forgotten, and their gaps", () => {
    const log = filled(32, [0, 1, 2, 3, 8, 9]);
    log.push(bin(2));
    expect([log.last, log.slotOf(3)]).toEqual([2, -1]);
    expect(log.gaps(0, 30)).toEqual([]);
    log.push(bin(9));
    expect(log.gaps(0, 30)).toEqual([{ kind: "missing", from: 3, to: 8 }]);
  });

  it("goes back into a hole: the bins there are new, what is still missing lies before them", () => {
    const log = filled(64, [0, 1, 10, 11]);
    log.push(bin(6));
    expect([log.first, log.last]).toEqual([0, 6]);
    expect(log.gaps(0, 30)).toEqual([{ kind: "missing", from: 2, to: 5 }]);
  });

  it("can start late and go back to before its start", () => {
    const log = filled(64, [50, 51]);
    expect(log.first).toBe(50);
    log.push(bin(40));
    expect([log.first, log.last]).toEqual([40, 40]);
  });

  it("knows how many bins to ask for so that a place has its past", () => {
    const log = filled(64, [10, 11, 12, 13]);
    expect(log.missingBefore(14, 4)).toBe(0);
    expect(log.missingBefore(14, 6)).toBe(6);
    expect(log.missingBefore(20, 4)).toBe(4);
    expect(log.missingBefore(16, 4)).toBe(2);
    expect(log.missingBefore(2, 30)).toBe(2);
    expect(log.missingBefore(0, 30)).toBe(0);
  });
});
