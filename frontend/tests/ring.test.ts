import { describe, expect, it } from "vitest";
import { CoarseMap } from "../src/lib/coarse";
import { ColumnRing, largest, sample } from "../src/lib/ring";

/** Column of five rows whose values name bin and row. */
const column = (seq: number) => (): number[] => [0, 1, 2, 3, 4].map((row) => seq * 10 + row);

function filled(capacity: number, seqs: number[]): ColumnRing {
  const ring = new ColumnRing(capacity, 5, ["v"]);
  for (const seq of seqs) ring.push(seq, true, 100, column(seq));
  return ring;
}

describe("column ring", () => {
  it("reads by bin and absolute tick, each column around its own spot", () => {
    const ring = new ColumnRing(8, 5, ["v"]);
    ring.push(0, true, 100, column(0));
    ring.push(1, true, 103, column(1));
    expect(ring.at("v", 0, 100)).toBe(2);
    expect(ring.at("v", 1, 100)).toBeNaN();
    expect(ring.at("v", 1, 101)).toBe(10);
    expect(ring.at("v", 1, 105)).toBe(14);
    expect(Array.from(ring.column("v", 1) ?? [])).toEqual([10, 11, 12, 13, 14]);
  });

  it("forgets the oldest bins as it goes round", () => {
    const ring = filled(4, [0, 1, 2, 3, 4, 5]);
    expect([ring.first, ring.last]).toEqual([2, 5]);
    expect(ring.slotOf(1)).toBe(-1);
    expect(ring.at("v", 5, 100)).toBe(52);
  });

  it("draws nothing under an invalid book", () => {
    const ring = filled(8, [0, 1]);
    ring.push(4, false, -1, () => undefined);
    expect(ring.slotOf(4)).toBe(4);
    expect(ring.drawn(4)).toBe(-1);
    expect(ring.at("v", 4, 100)).toBeNaN();
    expect(ring.column("v", 4)).toBeUndefined();
  });

  it("goes back: later bins are forgotten", () => {
    const ring = filled(16, [0, 1, 2, 3, 4, 5]);
    ring.push(2, true, 100, column(7));
    expect(ring.last).toBe(2);
    expect(ring.slotOf(4)).toBe(-1);
    expect(ring.at("v", 2, 100)).toBe(72);
  });

  it("can start late and go back to before its start", () => {
    const ring = filled(16, [100, 101]);
    expect(ring.first).toBe(100);
    ring.push(40, true, 100, column(40));
    expect([ring.first, ring.last]).toEqual([40, 40]);
  });

  it("writes zeros for a column that is missing or of another size", () => {
    const ring = new ColumnRing(4, 5, ["v"]);
    ring.push(0, true, 100, column(1));
    ring.push(4, true, 100, () => [1, 2, 3]);
    expect(ring.at("v", 4, 100)).toBe(0);
  });
});

describe("sampling", () => {
  it("takes every part of the view evenly", () => {
    const ring = new ColumnRing(256, 5, ["v"]);
    for (let seq = 0; seq < 200; seq += 1) ring.push(seq, true, 100, () => [0, 1, 2, 3, 4]);
    const out = new Float32Array(250);
    const n = sample(ring, "v", [0, 199], [98, 102], out);
    expect(n).toBeGreaterThan(180);
    const counts = [0, 0, 0, 0, 0];
    for (let i = 0; i < n; i += 1) counts[out[i]] += 1;
    expect(Math.min(...counts)).toBeGreaterThan(30);
    expect(sample(ring, "v", [50, 59], [100, 100], new Float32Array(64))).toBe(10);
  });

  it("takes the largest of the bins that share a pixel, as the map shows them", () => {
    const ring = new ColumnRing(64, 1, ["v"]);
    for (let seq = 0; seq < 16; seq += 1) ring.push(seq, true, 100, () => [seq % 2 ? seq : -seq]);
    expect(largest(ring, "v", 4, 4, 100)).toBe(7);
    expect(largest(ring, "v", 5, 2, 100)).toBe(-6);
    expect(largest(ring, "v", 14, 9, 100)).toBe(15);
    expect(largest(ring, "v", 20, 4, 100)).toBeNaN();
    const out = new Float32Array(16);
    expect(sample(ring, "v", [0, 15], [100, 100], out, 4)).toBe(4);
    expect(Array.from(out.slice(0, 4))).toEqual([3, 7, 11, 15]);
  });
});

describe("coarse map", () => {
  it("fits any capture into its columns", () => {
    expect(new CoarseMap(600, ["v"], 100).group).toBe(8);
    expect(new CoarseMap(36_000, ["v"], 4096)).toMatchObject({ group: 9, capacity: 4000 });
    const day = new CoarseMap(828_000, [], 4096);
    expect(day.capacity).toBeLessThanOrEqual(4096);
    expect(day.columnOf(827_999)).toBeLessThan(day.capacity);
  });

  it("keeps the largest value of each tick, whatever spot its bin had", () => {
    const map = new CoarseMap(80, ["v"], 10, 4);
    map.add(0, 100, () => [1, -2, 3]);
    map.add(3, 101, () => [-5, 1, 9]);
    expect(map.group).toBe(8);
    // Ticks 99..102: 1, then -2 against -5, then 3 against 1, then 9.
    expect([99, 100, 101, 102].map((tick) => largest(map, "v", 0, 1, tick))).toEqual([1, -5, 3, 9]);
    expect(largest(map, "v", 0, 1, 105)).toBeNaN();
    expect(largest(map, "v", 1, 1, 100)).toBeNaN();
  });

  it("leaves out ticks too far from its column's first spot, and no others", () => {
    const map = new CoarseMap(80, ["v"], 10, 2);
    map.add(0, 100, () => [1, 1, 1]);
    map.add(1, 103, () => [7, 8, 9]);
    expect([101, 102].map((tick) => largest(map, "v", 0, 1, tick))).toEqual([1, 7]);
    expect(largest(map, "v", 0, 1, 103)).toBeNaN();
  });

  it("goes back: a split column keeps what the ring still has of it", () => {
    const ring = new ColumnRing(64, 1, ["v"]);
    const map = new CoarseMap(80, ["v"], 10, 2);
    for (let seq = 0; seq < 30; seq += 1) {
      ring.push(seq, true, 100, () => [seq]);
      map.add(seq, 100, () => [seq]);
    }
    map.rewind(20, ring);
    expect(largest(map, "v", 1, 1, 100)).toBe(15);
    expect(largest(map, "v", 2, 1, 100)).toBe(19);
    expect([map.last, map.drawn(3)]).toEqual([2, -1]);
  });
});
