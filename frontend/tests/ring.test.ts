import { describe, expect, it } from "vitest";
import { type BinScalars, ColumnRing, NO_TICK } from "../src/lib/ring";

const bin = (seq: number, change: Partial<BinScalars> = {}): BinScalars => ({
  seq, valid: true, spotTick: 100, bidTick: 99, askTick: 100, mid: 24.875, buyVolume: 0, sellVolume: 0, score: 0, ready: true,
  dominant: 0, signal: Number.NaN, fired: 0, ...change,
});
/** Column of five rows whose values name bin and row. */
const column = (seq: number) => (): number[] => [0, 1, 2, 3, 4].map((row) => seq * 10 + row);

function filled(capacity: number, seqs: number[]): ColumnRing {
  const ring = new ColumnRing(capacity, 5, ["v"]);
  for (const seq of seqs) ring.push(bin(seq), column(seq));
  return ring;
}

describe("column ring", () => {
  it("reads by bin and absolute tick, each column around its own spot", () => {
    const ring = new ColumnRing(8, 5, ["v"]);
    ring.push(bin(0, { spotTick: 100 }), column(0));
    ring.push(bin(1, { spotTick: 103 }), column(1));
    expect(ring.at("v", 0, 100)).toBe(2);
    expect(ring.at("v", 1, 100)).toBeNaN();
    expect(ring.at("v", 1, 101)).toBe(10);
    expect(ring.at("v", 1, 105)).toBe(14);
  });

  it("forgets the oldest bins as it goes round", () => {
    const ring = filled(4, [0, 1, 2, 3, 4, 5]);
    expect([ring.first, ring.last]).toEqual([2, 5]);
    expect(ring.slotOf(1)).toBe(-1);
    expect(ring.at("v", 5, 100)).toBe(52);
  });

  it("shows bins that never came as gaps, also when they would fall on old slots", () => {
    const ring = filled(4, [0, 1, 2, 3, 6]);
    expect(ring.gaps(0, 6)).toEqual([{ kind: "missing", from: 4, to: 5 }]);
    expect(ring.slotOf(4)).toBe(-1);
  });

  it("tells a missing bin from an invalid book", () => {
    const ring = filled(8, [0, 1]);
    ring.push(bin(4, { valid: false, spotTick: NO_TICK }), () => undefined);
    ring.push(bin(5), column(5));
    expect(ring.gaps(0, 9)).toEqual([
      { kind: "missing", from: 2, to: 3 },
      { kind: "invalid", from: 4, to: 4 },
    ]);
    expect(ring.at("v", 4, 100)).toBeNaN();
  });

  it("goes back: later bins are forgotten", () => {
    const ring = filled(16, [0, 1, 2, 3, 4, 5]);
    ring.push(bin(2), column(7));
    expect(ring.last).toBe(2);
    expect(ring.slotOf(4)).toBe(-1);
    expect(ring.at("v", 2, 100)).toBe(72);
    ring.push(bin(9), column(9));
    expect(ring.gaps(0, 9)).toEqual([{ kind: "missing", from: 3, to: 8 }]);
  });

  it("can start late and go back to before its start", () => {
    const ring = filled(16, [100, 101]);
    expect(ring.first).toBe(100);
    ring.push(bin(40), column(40));
    expect([ring.first, ring.last]).toEqual([40, 40]);
  });

  it("writes zeros for a column that is missing or of another size", () => {
    const ring = new ColumnRing(4, 5, ["v"]);
    ring.push(bin(0), column(1));
    ring.push(bin(4), () => [1, 2, 3]);
    expect(ring.at("v", 4, 100)).toBe(0);
  });

  it("samples every part of the view evenly", () => {
    const ring = new ColumnRing(256, 5, ["v"]);
    for (let seq = 0; seq < 200; seq += 1) ring.push(bin(seq), () => [0, 1, 2, 3, 4]);
    const out = new Float32Array(250);
    const n = ring.sample("v", [0, 199], [98, 102], out);
    expect(n).toBeGreaterThan(180);
    const counts = [0, 0, 0, 0, 0];
    for (let i = 0; i < n; i += 1) counts[out[i]] += 1;
    expect(Math.min(...counts)).toBeGreaterThan(30);
    expect(ring.sample("v", [50, 59], [100, 100], new Float32Array(64))).toBe(10);
  });
});
