import { describe, expect, it } from "vitest";
import { ladderOf, ladderReach, writtenRows } from "../src/lib/ladder";

// Ticks 98..102: bids 5 and 3 below spot, asks 2, 4, 6 from it up.
const ladder = ladderOf(Float32Array.from([5, 3, 0, 0, 0]), Float32Array.from([0, 0, 2, 4, 6]), 100);

describe("ladder", () => {
  it("adds up from each quote outwards", () => {
    expect(Array.from(ladder.bidTotal)).toEqual([8, 3, 0, 0, 0]);
    expect(Array.from(ladder.askTotal)).toEqual([0, 0, 2, 6, 12]);
    expect(ladder.lowest).toBe(98);
  });

  it("is scaled by what is in view", () => {
    expect(ladderReach(ladder, 98, 102)).toEqual({ level: 6, total: 12 });
    expect(ladderReach(ladder, 90, 100)).toEqual({ level: 5, total: 8 });
    expect(ladderReach(ladder, 200, 210)).toEqual({ level: 0, total: 0 });
  });

  it("writes every row where text fits, else the largest ones, well apart", () => {
    expect(writtenRows(ladder, 98, 102, 10, 10)).toEqual([0, 1, 2, 3, 4]);
    expect(writtenRows(ladder, 98, 102, 4, 10)).toEqual([4, 0]);
  });
});
